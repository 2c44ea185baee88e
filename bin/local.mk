# bin/: one file per tool
