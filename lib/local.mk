# lib/: the internal library, one list per layer (see HACKING)
libscopeline_a_SOURCES += \
	lib/base/die.c lib/base/die.h \
	lib/base/mem.c lib/base/mem.h \
	lib/base/array.c lib/base/array.h
