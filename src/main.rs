//! The program under the name of the user's card: `node`.

fn main() -> std::process::ExitCode {
    sayagain::cli::main()
}
