#include <config.h>

#include "dev/features.h"

#include <fftw3.h>
#ifdef HAVE_CLFFT
#include <clFFT.h>
#endif

#include "dev/internal.h"

void dev_features(FILE *f)
{
#ifdef CL_VERSION_1_2
	fprintf(f, "OpenCL headers 1.2\n");
#endif
#ifdef HAVE_CLFFT
	fprintf(f, "clFFT %d.%d.%d\n", clfftVersionMajor, clfftVersionMinor, clfftVersionPatch);
#else
	fprintf(f, "clFFT none\n");
#endif
	fprintf(f, "FFTW %s\n", fftwf_version);
}
