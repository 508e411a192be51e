use super::*;

fn parse(text: &str) -> Result<ToolboxEnv> {
    ToolboxEnv::parse(text, "f", Some(Path::new("/home/me")))
}

#[test]
fn values_are_read_as_a_shell_would_read_them() {
    let text = "# plan\nexport GPU_TARGET=gfx1151 # Strix Halo\nROCM_HOME=\"/opt/rocm\"\nLLAMA_HOME='/home/me/llama cpp'\nNON_INTERACTIVE=1\nODD=1\n";
    let env = parse(text).unwrap();
    assert_eq!(env.gpu_target.unwrap().as_str(), "gfx1151");
    assert_eq!(env.rocm_home.unwrap(), "/opt/rocm");
    assert_eq!(env.llama_install_dir.unwrap(), "/home/me/llama cpp");
    assert!(env.non_interactive);
    assert_eq!(env.notes, ["f:6: unknown setting `ODD`"]);
}

#[test]
fn an_unknown_setting_is_noted_with_the_nearest_known_one() {
    let notes = parse("GPU_TRAGET=gfx1151\nOTHER=1\n").unwrap().notes;
    assert_eq!(notes, ["f:1: unknown setting `GPU_TRAGET` (did you mean GPU_TARGET?)", "f:2: unknown setting `OTHER`"]);
    for name in NAMES {
        assert!(
            parse(&format!("{name}=x\n")).is_ok_and(|env| env.notes.is_empty())
                || parse(&format!("{name}=x\n")).is_err()
        );
    }
}

#[test]
fn no_setting_is_lost_to_the_way_that_a_file_is_written() {
    let text = "\u{feff}ROCM_HOME=/opt/rocm\r\nexport\tTOOLBOX_NAME=strix\t# mine\r\n\texport \t LLAMA_HOME=/opt/llama\r\n \t\r\nNON_INTERACTIVE='1'\r\n";
    let env = parse(text).unwrap();
    assert_eq!(env.rocm_home.unwrap(), "/opt/rocm");
    assert_eq!(env.toolbox_name.unwrap(), "strix");
    assert_eq!(env.llama_install_dir.unwrap(), "/opt/llama");
    assert!(env.non_interactive);
    assert_eq!(env.notes, Vec::<String>::new());
}

#[test]
fn the_last_line_with_a_name_counts() {
    let twice = |name: &str| parse(&format!("{name}=/opt/first\n{name}=/opt/last\n")).unwrap();
    assert_eq!(twice("ROCM_HOME").rocm_home.unwrap(), "/opt/last");
    assert_eq!(twice("LLAMA_HOME").llama_install_dir.unwrap(), "/opt/last");
    assert_eq!(twice("LLAMA_INSTALL_DIR").llama_install_dir.unwrap(), "/opt/last");
    assert_eq!(twice("WORKSPACE_DIR").workspace_dir.unwrap(), "/opt/last");
    // The plan's own name comes before the other one, wherever it stands.
    for text in
        ["LLAMA_INSTALL_DIR=/opt/own\nLLAMA_HOME=/opt/other\n", "LLAMA_HOME=/opt/other\nLLAMA_INSTALL_DIR=/opt/own\n"]
    {
        assert_eq!(parse(text).unwrap().llama_install_dir.unwrap(), "/opt/own");
    }
}

#[test]
fn nothing_is_expanded_or_run() {
    for line in [
        "ROCM_HOME=$(id)",
        "ROCM_HOME=`id`",
        "ROCM_HOME=\"$HOME/rocm\"",
        "TOOLBOX_NAME=a; rm x",
        "TOOLBOX_NAME=a b",
        "TOOLBOX_NAME= a",
        "TOOLBOX_NAME='a'b",
        "TOOLBOX_NAME='a'#b",
        "TOOLBOX_NAME='a",
        "oops",
        "export",
        "ROCM_HOME =/opt/rocm",
        "ROCM_HOME\u{a0}=/opt/rocm",
        "export -x ROCM_HOME=/opt/rocm",
        "2ND=1",
        "=1",
        "ROCM_HOME=rocm",
        "ROCM_HOME=",
        "ROCM_HOME=/opt/../etc",
        "TOOLBOX_NAME='-rm'",
        "TOOLBOX_NAME='a/b'",
        "BASE_IMAGE='Ubuntu latest'",
        "BUILD_PLATFORM=windows",
        "BUILD_PLATFORM=solaris",
        "NON_INTERACTIVE=perhaps",
        "WORKSPACE_DIR='/a\u{1b}[2J'",
        "GPU_TARGET=strix",
    ] {
        let error = parse(&format!("\n{line}\n")).unwrap_err();
        assert!(error.to_string().starts_with("f:2: "), "{line}: {error}");
    }
}

#[test]
fn a_terminal_is_shown_nothing_of_the_file_that_it_would_obey() {
    for line in
        ["\u{1b}]0;title\u{7}\u{1b}[2JX=1", "TOOLBOX_NAME=a \u{1b}[2J\u{9b}b", "export \u{1b}[31mX=1", "X\u{8}=1"]
    {
        let error = parse(line).unwrap_err().to_string();
        assert!(!error.chars().any(|c| c.is_control() && c != '\n'), "{error:?}");
    }
}

#[test]
fn places_of_the_system_and_of_people_are_refused_with_their_line() {
    for key in ["ROCM_HOME", "LLAMA_INSTALL_DIR", "LLAMA_HOME"] {
        for value in ["/", "/usr", "//usr/", "/usr/lib", "/usr/local", "/opt", "/tmp", "/home/me", "/home", "/opt/.."] {
            let error = parse(&format!("\n{key}={value}\n")).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.kind(), Kind::Invalid);
            assert!(text.starts_with(&format!("f:2: invalid directory for {key}: ")), "{text}");
            assert!(text.contains(&format!("found  {value}\n")), "{text}");
        }
    }
    assert_eq!(parse("WORKSPACE_DIR=/home/me").unwrap().workspace_dir.unwrap(), "/home/me");
    assert!(parse("WORKSPACE_DIR=/usr").is_err());
}

#[test]
fn rocm_and_llama_cannot_share_a_place() {
    for (rocm, llama) in
        [("/opt/x", "/opt/x"), ("/opt/x", "/opt//x/"), ("/opt/x", "/opt/x/llama"), ("/opt/x/rocm", "/opt/x")]
    {
        let error = parse(&format!("ROCM_HOME={rocm}\n\nLLAMA_HOME={llama}\n")).unwrap_err().to_string();
        assert!(error.starts_with("f:3: ") && error.contains("f:1  ") && error.contains(rocm), "{error}");
    }
    let env = parse("ROCM_HOME=/opt//rocm/./\nLLAMA_HOME=/opt/llama/\n").unwrap();
    assert_eq!((env.rocm_home.unwrap(), env.llama_install_dir.unwrap()), ("/opt/rocm".into(), "/opt/llama".into()));
    // What does not count does not stand in the way.
    parse("ROCM_HOME=/opt/x\nLLAMA_HOME=/opt/x\nLLAMA_HOME=/opt/xy\n").unwrap();
}
