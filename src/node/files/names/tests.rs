use proptest::prelude::*;

use super::*;

/// What strangers call their files, and what becomes of it.
const CORPUS: [(&str, &str); 96] = [
    // What is a name stays as it is.
    ("notes.txt", "notes.txt"),
    ("archive.tar.gz", "archive.tar.gz"),
    ("no ending", "no ending"),
    ("über café.txt", "über café.txt"),
    ("日本語.pdf", "日本語.pdf"),
    ("שלום.txt", "שלום.txt"),
    ("🚀.png", "🚀.png"),
    ("e\u{301}.txt", "e\u{301}.txt"),
    ("a-b_c (1).txt", "a-b_c (1).txt"),
    ("$HOME`x`;y&z.txt", "$HOME`x`;y&z.txt"),
    ("console.log", "console.log"),
    ("com10.txt", "com10.txt"),
    ("comma.txt", "comma.txt"),
    ("nullify", "nullify"),
    ("lptx.txt", "lptx.txt"),
    // Other places.
    ("../../.ssh/authorized_keys", "authorized_keys"),
    ("../..", "file"),
    ("..", "file"),
    (".", "file"),
    ("...", "file"),
    ("./.", "file"),
    ("/", "file"),
    ("//", "file"),
    ("/etc/passwd", "passwd"),
    ("/etc/", "etc"),
    ("a/b/c.txt", "c.txt"),
    ("dir/notes.txt/", "notes.txt"),
    ("..\\..\\boot.ini", "boot.ini"),
    ("C:\\windows\\system32\\cmd.exe", "cmd.exe"),
    ("C:notes.txt", "C_notes.txt"),
    ("\\\\server\\share\\x.doc", "x.doc"),
    ("\\\\?\\C:\\x", "x"),
    ("\\\\.\\pipe\\x", "x"),
    ("/dev/null", "null"),
    ("a/../b\\..\\c", "c"),
    ("%2e%2e%2fetc", "%2e%2e%2fetc"),
    ("~/.bashrc", "bashrc"),
    ("file:///etc/shadow", "shadow"),
    // Streams, and what is illegal elsewhere.
    ("x.txt:evil.exe", "x.txt_evil.exe"),
    ("x.txt::$DATA", "x.txt__$DATA"),
    (":x", "_x"),
    ("<a>|b?*\"c\".txt", "_a__b___c_.txt"),
    ("*", "_"),
    // Devices.
    ("CON", "_CON"),
    ("con", "_con"),
    ("Con.txt", "_Con.txt"),
    ("PRN.log", "_PRN.log"),
    ("aux.h", "_aux.h"),
    ("nul", "_nul"),
    ("NUL.tar.gz", "_NUL.tar.gz"),
    ("CONIN$", "_CONIN$"),
    ("conout$.txt", "_conout$.txt"),
    ("COM0", "_COM0"),
    ("com1.txt", "_com1.txt"),
    ("COM9", "_COM9"),
    ("LPT0.x", "_LPT0.x"),
    ("lpt9", "_lpt9"),
    ("COM¹", "_COM¹"),
    ("com².txt", "_com².txt"),
    ("LPT³.prn", "_LPT³.prn"),
    ("CON .txt", "_CON .txt"),
    (" CON", "_CON"),
    (".CON", "_CON"),
    ("-nul.txt", "_nul.txt"),
    ("CON.", "_CON"),
    ("C\u{200b}ON", "_CON"),
    ("dir/AUX.c", "_AUX.c"),
    // What acts on a terminal, or lies about the rest.
    ("a\nb.txt", "ab.txt"),
    ("a\r\nb.txt", "ab.txt"),
    ("\x1b[2J\x1b]0;x\x07.txt", "[2J]0;x.txt"),
    ("a\0b.txt", "ab.txt"),
    ("tab\tbed", "tabbed"),
    ("\x7fdel\u{9b}31m", "del31m"),
    ("photo\u{202e}gnp.exe", "photognp.exe"),
    ("\u{2066}a\u{2069}.txt", "a.txt"),
    ("\u{200f}a\u{200e}.txt", "a.txt"),
    ("z\u{200b}e\u{200c}r\u{200d}o\u{feff}.txt", "zero.txt"),
    ("soft\u{ad}hyphen", "softhyphen"),
    ("tag\u{e0041}\u{e007f}ged", "tagged"),
    ("line\u{2028}para\u{2029}graph", "lineparagraph"),
    ("\u{3164}\u{115f}\u{2800}", "file"),
    ("\u{200b}", "file"),
    ("\u{202e}", "file"),
    // Beginnings and ends.
    ("", "file"),
    (" ", "file"),
    ("\u{a0}\u{3000}", "file"),
    (".bashrc", "bashrc"),
    ("..hidden", "hidden"),
    (".\u{200b}.x", "x"),
    ("-rf", "rf"),
    ("--help", "help"),
    ("- .-x", "x"),
    ("---", "file"),
    ("trailing. . ", "trailing"),
    ("dots...", "dots"),
    (" both ends ", "both ends"),
];

#[test]
fn does_a_name_of_a_stranger_stay_a_name() {
    for (theirs, ours) in CORPUS {
        assert_eq!(safe_name(theirs), ours, "{theirs:?}");
    }
}

#[test]
fn is_a_long_name_cut_between_characters_with_its_ending_kept() {
    for (theirs, bytes, ending) in [
        ("x".repeat(MAX_SAFE_NAME_BYTES), 200, "x"),
        ("x".repeat(255), 200, "x"),
        (format!("{}.txt", "x".repeat(196)), 200, "x.txt"),
        (format!("{}.txt", "x".repeat(300)), 200, "x.txt"),
        (format!("{}.txt", "ä".repeat(300)), 200, "ä.txt"),
        (format!("a{}.txt", "ä".repeat(300)), 199, "ä.txt"),
        ("日".repeat(100), 198, "日"),
        (format!("x.{}", "y".repeat(300)), 200, "y"),
        (format!("{}{}x", "a".repeat(150), " ".repeat(80)), 150, "a"),
        (format!("CON.{}", "y".repeat(300)), 200, "y"),
        ("CON.".to_owned() + &"y".repeat(196), 200, "y"),
    ] {
        let ours = safe_name(&theirs);
        assert!(ours.len() == bytes && ours.ends_with(ending), "{theirs:?}: {ours:?}");
    }
    assert!(safe_name(&format!("CON.{}", "y".repeat(300))).starts_with("_CON."));
}

#[test]
fn is_a_name_that_is_taken_numbered_before_its_ending() {
    for (name, number, numbered_name) in [
        ("notes.txt", 1, "notes.txt"),
        ("notes.txt", 2, "notes-2.txt"),
        ("notes.txt", 999, "notes-999.txt"),
        ("notes", 2, "notes-2"),
        ("a.tar.gz", 3, "a.tar-3.gz"),
        ("_CON.txt", 2, "_CON-2.txt"),
    ] {
        assert_eq!(numbered(name, number), numbered_name);
    }
}

proptest! {
    #[test]
    fn is_any_name_safe_and_safe_as_it_is(name in any::<String>()) {
        let safe = safe_name(&name);
        prop_assert!(!safe.is_empty() && safe.len() <= MAX_SAFE_NAME_BYTES);
        prop_assert!(!safe.contains(['/', '\\', ':', '\0']) && !safe.starts_with(['.', '-']));
        prop_assert!(!safe.chars().any(is_hidden));
        prop_assert_eq!(safe_name(&safe), safe.clone());
        prop_assert_eq!(std::path::Path::new(&safe).components().count(), 1);
    }
}
