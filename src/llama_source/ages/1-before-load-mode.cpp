// The form of common/arg.cpp in one age of llama.cpp, with the options that matter here. Written for tests.
    add_opt(common_arg(
        {"-h", "--help", "--usage"},
        "explained, with \"quotes\"\n"
        "in two lines",
        [](common_params & params) {}
    ));
    add_opt(common_arg(
        {"--version"},
        "explained, with \"quotes\"\n"
        "in two lines",
        [](common_params & params) {}
    ));
    add_opt(common_arg(
        {"--no-display-prompt"},
        string_format("explained (default: %s)", params.x ? "true" : "false"),
        [](common_params & params) {}
    ).set_examples({LLAMA_EXAMPLE_MAIN}));
    add_opt(common_arg(
        {"-c", "--ctx-size"}, "N",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ));
    add_opt(common_arg(
        {"-t", "--threads"}, "N",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ).set_env("LLAMA_ARG_THREADS"));
    add_opt(common_arg(
        {"-b", "--batch-size"}, "N",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ).set_env("LLAMA_ARG_BATCH"));
    add_opt(common_arg(
        {"-ub", "--ubatch-size"}, "N",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ).set_env("LLAMA_ARG_UBATCH"));
    add_opt(common_arg(
        {"--chunks"}, "N",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ).set_examples({LLAMA_EXAMPLE_IMATRIX, LLAMA_EXAMPLE_PERPLEXITY, LLAMA_EXAMPLE_RETRIEVAL}));
    add_opt(common_arg(
        {"-f", "--file"}, "FNAME",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ).set_excludes({LLAMA_EXAMPLE_SERVER}));
    add_opt(common_arg(
        {"-np", "--parallel"}, "N",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ).set_env("LLAMA_ARG_N_PARALLEL"));
    add_opt(common_arg(
        {"-n", "--predict", "--n-predict"}, "N",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ));
    add_opt(common_arg(
        {"-p", "--prompt"}, "PROMPT",
        "explained",
        [](common_params & params, const std::string & value) {}
    ).set_excludes({LLAMA_EXAMPLE_SERVER}));
    add_opt(common_arg(
        {"-fa", "--flash-attn"},
        string_format("explained (default: %s)", params.x ? "true" : "false"),
        [](common_params & params) {}
    ).set_env("LLAMA_ARG_FLASH_ATTN"));
    add_opt(common_arg(
        {"-no-cnv", "--no-conversation"},
        "explained, with \"quotes\"\n"
        "in two lines",
        [](common_params & params) {}
    ).set_examples({LLAMA_EXAMPLE_MAIN}));
    add_opt(common_arg(
        {"-s", "--seed"}, "SEED",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ));
    add_opt(common_arg(
        {"--temp"}, "N",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ));
    add_opt(common_arg(
        {"--ignore-eos"},
        "explained, with \"quotes\"\n"
        "in two lines",
        [](common_params & params) {}
    ));
    add_opt(common_arg(
        {"--simple-io"},
        "explained, with \"quotes\"\n"
        "in two lines",
        [](common_params & params) {}
    ).set_examples({LLAMA_EXAMPLE_MAIN}));
    add_opt(common_arg(
        {"--no-warmup"},
        "explained, with \"quotes\"\n"
        "in two lines",
        [](common_params & params) {}
    ).set_examples({LLAMA_EXAMPLE_MAIN, LLAMA_EXAMPLE_SERVER}));
    add_opt(common_arg(
        {"--no-mmap"},
        "explained, with \"quotes\"\n"
        "in two lines",
        [](common_params & params) {}
    ));
    add_opt(common_arg(
        {"-dev", "--device"}, "<dev1,dev2,..>",
        "explained",
        [](common_params & params, const std::string & value) {}
    ));
    add_opt(common_arg(
        {"--rpc"}, "SERVERS",
        "explained",
        [](common_params & params, const std::string & value) {}
    ).set_env("LLAMA_ARG_RPC"));
    add_opt(common_arg(
        {"--list-devices"},
        "explained, with \"quotes\"\n"
        "in two lines",
        [](common_params & params) {}
    ));
    add_opt(common_arg(
        {"-ngl", "--gpu-layers", "--n-gpu-layers"}, "N",
        "explained",
        [](common_params & params, const std::string & value) {}
    ));
    add_opt(common_arg(
        {"-m", "--model"}, "FNAME",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ));
    add_opt(common_arg(
        {"-hf", "-hfr", "--hf-repo"}, "<user>/<model>[:quant]",
        "explained, with \"quotes\"\n"
        "in two lines",
        [](common_params & params, const std::string & value) {}
    ).set_env("LLAMA_ARG_HF_REPO"));
    add_opt(common_arg(
        {"--host"}, "HOST",
        string_format("explained, with a UNIX socket if it ends with .sock (default: %s)", params.x),
        [](common_params & params, const std::string & value) {}
    ).set_examples({LLAMA_EXAMPLE_SERVER}).set_env("LLAMA_ARG_HOST"));
    add_opt(common_arg(
        {"--port"}, "PORT",
        string_format("explained (default: %d)", params.x),
        [](common_params & params, const std::string & value) {}
    ).set_examples({LLAMA_EXAMPLE_SERVER}).set_env("LLAMA_ARG_PORT"));
    add_opt(common_arg(
        {"--control-vector-layer-range"}, "START", "END",
        "explained",
        [](common_params & params, const std::string & value) {}
    ));
