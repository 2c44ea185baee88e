# usage: make -j 4 -f examples/slurm/well.mk WELL=well.csv [OUT=out] [N=4] [OPTIONS='--config pheno --optimize bfgs']
# tiltrecon.sbatch and its join on one workstation: N shards of a manifest, as many at once as make -j says, then one table.
# The processes share the cores, hence one thread each.
OUT = out
N = 4
OPTIONS = --config pheno --optimize bfgs
here := $(dir $(lastword $(MAKEFILE_LIST)))
last := $(shell expr $(N) - 1)
shards := $(foreach i,$(shell seq 0 $(last)),$(OUT)/tilts.$(i).csv)

$(OUT)/tilts.csv: $(shards)
	bash $(here)join.sbatch $(OUT)/tilts $(N)
$(shards): $(OUT)/tilts.%.csv: $(WELL)
	mkdir -p $(OUT)/phase
	tiltrecon --list $(WELL) --shard $*/$(N) --resume --threads 1 --tilt-out $@ -O $(OUT)/phase $(OPTIONS)
