# cl/: one .cl per method, embedded in the library as text
CL_FILES = cl/common.clh
CL_FILES += cl/sum.cl
CL_FILES += cl/tilt.cl
CL_FILES += cl/tilt_loss.cl
CL_FILES += cl/tilt_thick.cl
CL_FILES += cl/tilt_sim.cl
CL_FILES += cl/granularity.cl
CL_FILES += cl/tv_sq.cl
CL_FILES += cl/tv_l1.cl
CL_FILES += cl/tv_iso.cl
CL_FILES += cl/tv_any.cl
CL_FILES += cl/tv_denoise.cl
CLH_FILES = cl/pair.clh cl/tilt.clh cl/tv.clh cl/tv_sum.clh cl/tv_loss.clh cl/vec.clh cl/kplanes.clh
CLH_FILES += cl/kplanes_scatter.clh
CL_FILES += cl/kplanes.cl
CL_FILES += cl/ptycho.cl
CL_FILES += cl/ptycho_pie.cl
CL_FILES += cl/ptycho_projection.cl
CL_FILES += cl/ptycho_ml.cl
CL_FILES += cl/ptycho_positions.cl
CL_FILES += cl/ptycho_propagate.cl
CLH_FILES += cl/ptycho.clh
EXTRA_DIST += $(CL_FILES) $(CLH_FILES) cl/embed.awk
nodist_libscopeline_a_SOURCES += cl/clsrc.c
BUILT_SOURCES += cl/clsrc.c
CLEANFILES += cl/clsrc.c
cl/clsrc.c: $(CL_FILES) $(CLH_FILES) cl/embed.awk
	$(AM_V_GEN)$(MKDIR_P) cl && cd $(srcdir) && $(AWK) -f cl/embed.awk $(CL_FILES) > $(abs_builddir)/$@.tmp && mv $(abs_builddir)/$@.tmp $(abs_builddir)/$@
