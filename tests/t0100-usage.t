#!/bin/bash
# Command line: help, version, exit statuses, ranges, units, config files, where messages and data go.
. "${srcdir:-$(dirname "$0")/..}/tests/lib.sh"
mkdir no-devices
tiffmake -t u16 -s 24,32 -n 5 -k noise stack.tif
tiffmake -t f32 -s 24,32 -k noise phase.tif

for tool in tiltrecon tiltsim; do
	pheno='--config pheno'
	[ $tool = tiltrecon ] || pheno="$pheno --slices 5"
	ok "$tool --help goes to stdout, exits 0, opens no device" \
		"OCL_ICD_VENDORS=$PWD/no-devices/ exits 0 $tool --help >help && quiet && grep -q -- --wavelength help && grep -qi 'example' help"
	ok "$tool --version names program, version and libraries" \
		"exits 0 $tool --version >version && quiet && head -n 1 version | grep -q '^$tool .*[0-9]' && grep -q FFTW version && grep -qi clFFT version &&
		 grep -q OpenCL version && grep -qi tiff version"
	ok "$tool: an unknown option exits 2 and names --help" "exits 2 $tool --no-such-option && says --help"
	ok "$tool: an option without its argument exits 2" "exits 2 $tool $pheno -o"
	ok "$tool: a range is named"       "exits 2 $tool $pheno --zenith 1.3 -o x.tif stack.tif && says '--zenith' && says '1.2'"
	ok "$tool: NaN and inf are refused" "exits 2 $tool $pheno --azimuth nan -o x.tif stack.tif && exits 2 $tool $pheno --azimuth inf -o x.tif stack.tif"
	ok "$tool: a decimal comma is refused" "exits 2 $tool $pheno --pixel 0,325 -o x.tif stack.tif && says '--pixel'"
	ok "$tool: a wrong unit is refused"    "exits 2 $tool $pheno --pixel 1deg -o x.tif stack.tif && exits 2 $tool $pheno --zenith 1um -o x.tif stack.tif"
	ok "$tool: a zero pixel is refused"    "exits 2 $tool $pheno --pixel 0 -o x.tif stack.tif && says '--pixel'"
	ok "$tool: index below 1 is refused"   "exits 2 $tool $pheno --index 0.9 -o x.tif stack.tif && says '--index'"
	ok "$tool: an aperture above the index is refused" "exits 2 $tool $pheno --na-det 1.1 -o x.tif stack.tif && says '--na-det'"
	ok "$tool: overlap must be below the tile, pad too" \
		"exits 2 $tool $pheno --tile 16 --overlap 16 -o x.tif stack.tif && says '--overlap' && exits 2 $tool $pheno --tile 16 --pad 16 -o x.tif stack.tif && says '--pad'"
	ok "$tool: -o and -O exclude each other" "exits 2 $tool $pheno -o x.tif -O . stack.tif && says output-dir"
	ok "$tool: a wrong shard is refused" "exits 2 $tool $pheno --shard 2/2 -o x.tif stack.tif && says '--shard' && exits 2 $tool $pheno --shard 1 -o x.tif stack.tif"
	ok "$tool: a config file that is not there exits 1 and is named" "exits 1 $tool --config ./none.conf -o x.tif stack.tif && says none.conf"
	ok "$tool: an unknown key names file and line" \
		"printf '# comment\nwavelength = 0.45\nno-such-key = 1\n' >bad.conf; $tool --config ./bad.conf -o x.tif stack.tif; [ \$? != 0 ] && says bad.conf && says 3 && says no-such-key"
done
rm -f x.tif

ok 'a missing operand exits 2 and names --help'      'exits 2 tiltrecon --config pheno -o x.tif && says --help'
ok 'no product asked for exits 2'                    'exits 2 tiltrecon --config pheno stack.tif && says tilt-out'
ok 'the optics are needed'                           'exits 2 tiltrecon -o x.tif stack.tif && says wavelength'
ok 'no pixel size anywhere is an error that names --pixel' \
	'tiltrecon --wavelength 0.45 --na-det 0.55 --na-ill 0.4 --z-step 2 -o x.tif stack.tif; [ $? != 0 ] && says "--pixel"'
ok 'two inputs and -o exit 2'                        'exits 2 tiltrecon --config pheno -o x.tif stack.tif stack.tif && says output'
ok 'band LO >= HI exits 2'                           'exits 2 tiltrecon --config pheno --band 0.5,0.5 --optimize bfgs -o x.tif stack.tif && says "--band"'
ok 'all parameters frozen exits 2'                   'exits 2 tiltrecon --config pheno --optimize bfgs --freeze z,angles -o x.tif stack.tif && says "--freeze"'
ok 'bfgs with one frozen angle exits 2'              'exits 2 tiltrecon --config pheno --optimize bfgs --lr-azimuth 0 -o x.tif stack.tif && says bfgs'
ok 'iterations out of range exit 2'                  'exits 2 tiltrecon --config pheno --optimize bfgs --iters 0 -o x.tif stack.tif && says 10000'
ok 'an unknown optimiser is named with the known ones' 'exits 2 tiltrecon --config pheno --optimize sgd -o x.tif stack.tif && says sgd && says nadam'
ok 'matching needs overlap'                          'exits 2 tiltrecon --config pheno --tile 16 --pad 4 --match offset -o x.tif stack.tif && says overlap'
ok 'a negative regularisation exits 2'               'exits 2 tiltrecon --config pheno --reg -1 -o x.tif stack.tif && says "--reg"'
ok 'a simulation needs slices'                       'exits 2 tiltsim --config pheno -o x.tif phase.tif && says slices'
ok 'a phantom needs a size'                          'exits 2 tiltsim --config pheno --slices 5 --phantom disks -o x.tif && says size'
ok 'a usage error leaves no output'                  '[ ! -e x.tif ]'
ok 'binary is not written to a terminal' \
	'script -qec "tiltrecon --config pheno -o - stack.tif" /dev/null >typed; [ $? = 2 ] && grep -q terminal typed'

ok 'a preset is found by its name'                   'exits 0 tiltrecon --config pheno -o a.tif stack.tif && quiet'
ok 'options may follow operands, and their short forms may be joined to values' \
	'tiltrecon stack.tif --config pheno -ob.tif && tiffdiff a.tif b.tif'
ok 'the command line wins over the config file' \
	'printf "zenith = 0.2\nreg = 1e-2\n" >my.conf
	 tiltrecon --reg 0.05 --config pheno --config ./my.conf -o c.tif stack.tif && tiltrecon --config pheno --zenith 0.2 --reg 0.05 -o d.tif stack.tif && tiffdiff c.tif d.tif &&
	 ! tiffdiff a.tif c.tif'
ok 'a key of a config file is a long name, with the unit of the option' \
	'printf "wavelength = 450nm\npixel = 0.325 \nz-step = 2um\nna-det=0.55\nna-ill=0.4 # comment\n" >full.conf && tiltrecon --config ./full.conf -o e.tif stack.tif && tiffdiff a.tif e.tif'
ok 'lengths convert' \
	'tiltrecon --config pheno --wavelength 450nm --pixel 0.325um --z-step 0.002mm -o f.tif stack.tif && tiffdiff -t 1e-6 a.tif f.tif'
ok 'angles convert' \
	'tiltrecon --config pheno --zenith 9deg --azimuth 90deg -o g.tif stack.tif &&
	 tiltrecon --config pheno --zenith 0.15707963267948966 --azimuth 1.5707963267948966rad -o h.tif stack.tif && tiffdiff -t 1e-6 g.tif h.tif && ! tiffdiff a.tif g.tif'
ok 'numbers do not depend on the locale' \
	'LC_ALL=de_DE.UTF-8 LANG=de_DE.UTF-8 tiltrecon --config pheno --zenith 0.1 -o i.tif stack.tif && tiltrecon --config pheno --zenith 1e-1 -o j.tif stack.tif && tiffdiff i.tif j.tif'
ok '--quiet and success say nothing'                 'exits 0 tiltrecon --quiet --config pheno -o a.tif stack.tif && quiet'
ok '--quiet leaves errors'                           'exits 1 tiltrecon --quiet --config pheno -o a.tif none.tif && says none.tif'
ok 'one error is one line, of the form tool: subject' \
	'exits 1 tiltrecon --config pheno -o x.tif none.tif; [ "$(grep -c . err)" = 1 ] && grep -q "^tiltrecon: .none.tif.: " err'
ok 'stdout carries data only'                        'tiltrecon --config pheno --verbose -o - stack.tif >piped.tif && tiltrecon --config pheno -o whole.tif stack.tif && tiffdiff whole.tif piped.tif'
ok 'a stack may come from a pipe'                    'cat stack.tif | tiltrecon --config pheno -o k.tif - && tiffdiff a.tif k.tif'
ok 'a closed stdout is exit 1'                       'exits 1 tiltrecon --config pheno -o - stack.tif >&- && says tiltrecon:'
ok 'a full disk is exit 1, for images and tables'    'exits 1 tiltrecon --config pheno -o - stack.tif >/dev/full && says "No space" &&
	exits 1 tiltrecon --plan-only --image 64x64 --tile 16 >/dev/full'
ok 'help to a full disk is exit 1'                   'exits 1 tiltrecon --help >/dev/full'
ok 'a closed pipe ends a tool quietly'               'tiltrecon --plan-only --image 60000x60000 --tile 16 | head -n 1 >first; quiet && [ -s first ]'
done_testing
