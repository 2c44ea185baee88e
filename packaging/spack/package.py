# A Spack recipe: copy the folder to packages/scopeline of a repository of yours (`spack repo create`), put the tarball of
# `make dist` into the current folder, then  spack install --no-checksum scopeline.  What your Spack has no recipe for (libcsv, in
# some releases inih) is taken from the system:  spack external find, or an `externals:` entry of packages.yaml.
import os

from spack.package import *


class Scopeline(AutotoolsPackage):
    """Command-line tools for microscopy after the microscope: TIFF in, TIFF and CSV out, OpenCL inside."""

    url = "file://{0}/scopeline-0.1.0.tar.xz".format(os.getcwd())

    license("GPL-3.0-or-later")

    version("0.1.0")

    variant("clfft", default=False, description="Transforms of GPUs by clFFT; without it FFTW does them on the host")

    depends_on("c", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("opencl@1.2:")
    depends_on("fftw@3: precision=float,double")
    depends_on("libtiff@4.5:")
    depends_on("zlib-api")
    depends_on("zstd")
    depends_on("expat")
    depends_on("libpng")
    depends_on("inih")
    depends_on("libcsv")
    depends_on("clfft", when="+clfft")

    build_directory = "spack-build"

    def configure_args(self):
        return self.with_or_without("clfft")
