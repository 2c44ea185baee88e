# examples/
EXTRA_DIST += examples/setup.sh examples/quickstart.sh
EXTRA_DIST += examples/data/README examples/data/demo_cells.tif examples/data/demo_cells_truth.csv
