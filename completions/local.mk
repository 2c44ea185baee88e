# completions/
