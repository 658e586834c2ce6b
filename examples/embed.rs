//! A bot in thirty lines: answers `!dice` in the room `games`.
//!
//! `cargo run --example embed -- 127.0.0.1:4224`

#![expect(clippy::print_stdout, reason = "an example speaks to a person")]

use sayagain::{
    app::{Command, Event},
    node::Node,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:4224").parse()?;
    let (node, mut events, ended) = Node::client(server).name("dice")?.room("games")?.start().await?;
    while let Some(event) = events.next().await {
        if let Event::Message(said) = event
            && said.text.trim() == "!dice"
            && !said.historic
        {
            let eyes = said.sent_at_ms % 6 + 1;
            node.command(Command::Say(format!("{} rolls {eyes}", said.from))).await?;
        }
    }
    let outcome = ended.outcome().await;
    println!("the end: {outcome:?}");
    Ok(())
}
