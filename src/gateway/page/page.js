// Asks once a second what there is to show. Everything shown is text.
const users = document.getElementById("users");
const messages = document.getElementById("messages");
const state = document.getElementById("state");
let last = "";

function item(...parts) {
  const li = document.createElement("li");
  for (const [tag, text] of parts) {
    const part = document.createElement(tag);
    part.textContent = text;
    li.append(part, " ");
  }
  return li;
}

async function look() {
  try {
    const answer = await fetch("/board.json", { cache: "no-store" });
    const text = await answer.text();
    state.textContent = "";
    if (text === last) return;
    last = text;
    const board = JSON.parse(text);
    users.replaceChildren(...board.users.map((user) => item(["span", user])));
    const atEnd = innerHeight + scrollY >= document.body.scrollHeight - 40;
    messages.replaceChildren(
      ...board.messages.map((line) => item(["b", line.source], ["span", line.message])),
    );
    if (atEnd) scrollTo(0, document.body.scrollHeight);
  } catch {
    state.textContent = "The server does not answer; trying again.";
  }
}

setInterval(look, 1000);
look();
