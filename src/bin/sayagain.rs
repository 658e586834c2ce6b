//! The program under the name to install: `sayagain`.

fn main() -> std::process::ExitCode {
    sayagain::cli::main()
}
