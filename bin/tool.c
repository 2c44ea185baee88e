#include <config.h>

#include "tool.h"

#include <CL/cl_version.h>
#include <fftw3.h>
#include <string.h>
#include <strings.h>
#include <tiffvers.h>
#ifdef HAVE_CLFFT
#include <clFFT.version.h>
#endif

#include "base/die.h"
#include "batch/common.h"
#include "io/out.h"

void tool_features(FILE *f)
{
	fprintf(f, "OpenCL %d.%d API\n", CL_TARGET_OPENCL_VERSION / 100, CL_TARGET_OPENCL_VERSION / 10 % 10);
	fprintf(f, "%s\n", fftwf_version);
#ifdef HAVE_CLFFT
	fprintf(f, "clFFT %d.%d.%d\n", clfftVersionMajor, clfftVersionMinor, clfftVersionPatch);
#else
	fprintf(f, "without clFFT\n");
#endif
	fprintf(f, "libtiff %d\n", TIFFLIB_VERSION);
}

bool tool_lists_devices(int *status)
{
	if (!common.device || strcasecmp(common.device, "list") != 0)
		return false;
	*status = dev_list(stdout, verbosity == VERBOSE) == 0 ? EXIT_DONE : EXIT_FAILED;
	return true;
}

struct dev *tool_device(void)
{
	struct dev_opts o = { .device = common.device,
			      .mem = common.mem,
			      .threads = (int)common.threads,
			      .fft = (enum fft_choice)common.fft,
			      .work_group = (int)common.work_group };

	if (common.profile)
		profile_enable();
	return dev_open(&o);
}

int tool_end(struct dev *d)
{
	struct out *o;
	int rc = 0;

	if (d && common.profile && *common.profile == '\0')
		rc = profile_print(stderr, false);
	else if (d && common.profile) {
		o = out_open(common.profile);
		rc = !o ? -1 : profile_print(out_file(o), true) == 0 ? out_commit(o) : (out_abort(o), -1);
	}
	dev_free(d);
	return rc;
}
