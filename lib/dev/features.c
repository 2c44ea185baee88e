#include <config.h>

#include "dev/features.h"

#include "dev/internal.h"

#include <fftw3.h>
#ifdef HAVE_CLFFT
#include <clFFT.h>
#endif

void dev_features(FILE *f)
{
	fprintf(f, "OpenCL headers %d.%d\n", CL_TARGET_OPENCL_VERSION / 100,
		CL_TARGET_OPENCL_VERSION / 10 % 10);
#ifdef HAVE_CLFFT
	fprintf(f, "clFFT %d.%d.%d\n", clfftVersionMajor, clfftVersionMinor, clfftVersionPatch);
#else
	fprintf(f, "clFFT none\n");
#endif
	fprintf(f, "FFTW %s\n", fftwf_version);
}
