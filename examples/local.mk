# examples/
EXTRA_DIST += examples/setup.sh examples/quickstart.sh
EXTRA_DIST += examples/data/README examples/data/demo_cells.tif examples/data/demo_cells_truth.csv
EXTRA_DIST += examples/well/run.sh examples/well/Makefile examples/well/tiltmap.awk
EXTRA_DIST += examples/well/data/README examples/well/data/well.csv examples/well/data/well_truth.csv examples/well/data/well
EXTRA_DIST += examples/slurm/tiltrecon.sbatch examples/slurm/ptychorecon.sbatch examples/slurm/join.sbatch examples/slurm/well.mk
EXTRA_DIST += examples/slurm/tiltsim.sbatch examples/slurm/ptychofrc.sbatch examples/slurm/granularity.sbatch examples/slurm/zernike.sbatch
EXTRA_DIST += examples/slurm/intensity.sbatch examples/slurm/tvloss.sbatch examples/slurm/tvdenoise.sbatch examples/slurm/kplanes.sbatch
EXTRA_DIST += examples/profile/Makefile examples/profile/scatter.awk examples/profile/profile.sbatch
EXTRA_DIST += examples/tv/run.sh examples/kplanes/run.sh
EXTRA_DIST += examples/ptycho/run.sh examples/ptycho/data/README examples/ptycho/data/siemens_dp.tif examples/ptycho/data/siemens_pos.csv examples/ptycho/data/siemens_probe0.tif
