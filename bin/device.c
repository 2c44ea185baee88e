#include "device.h"

#include <string.h>

#include "base/die.h"
#include "dev/features.h"
#include "io/features.h"
#include "io/out.h"

struct dev_opts common_dev_opts(void)
{
	if (common.profile)
		profile_enable();
	return (struct dev_opts){
		.device = common.device,
		.mem = common.mem,
		.threads = (int)common.threads,
		.fft = (enum fft_choice)common.fft,
		.work_group = (int)common.work_group,
	};
}

int common_begin(const struct program *p, int argc, char **argv, struct operands *rest)
{
	int status;

	program_start(argv[0]);
	status = opt_parse(p, argc, argv, rest);
	if (status != OPT_GO || !common.device || strcmp(common.device, "list") != 0)
		return status;
	return dev_list(stdout, verbosity == VERBOSE) == 0 ? EXIT_DONE : EXIT_FAILED;
}

int common_profile(void)
{
	struct out *o;

	if (!common.profile)
		return 0;
	if (common.profile[0] == '\0')
		return profile_print(stderr, false);
	o = out_open(common.profile);
	if (!o)
		return -1;
	if (profile_print(out_file(o), true) != 0) {
		out_abort(o);
		return -1;
	}
	return out_commit(o);
}

void common_features(FILE *f)
{
	dev_features(f);
	io_features(f);
}
