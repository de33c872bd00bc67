"use strict";

const names = new Map();
const rows = new Map();

function say(text) {
  document.getElementById("state").textContent = text;
}

function line(cells) {
  const row = document.createElement("tr");
  for (const cell of cells) {
    row.insertCell().textContent = cell;
  }
  return row;
}

function showPrice({ company_id: id, price }) {
  if (!rows.has(id)) {
    rows.set(id, line([names.get(id) ?? `company ${id}`, ""]));
    document.getElementById("prices").append(rows.get(id));
  }
  rows.get(id).cells[1].textContent = Number(price).toFixed(2);
}

// Closed by a release or an outage: again soon, not all at the same moment.
function listen() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws/prices`);
  let silence;
  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(() => socket.close(), 5000);
  };
  socket.onopen = alive;
  socket.onmessage = (event) => {
    alive();
    const message = JSON.parse(event.data);
    if (message.type === "prices") {
      message.prices.forEach(showPrice);
    } else {
      say(`live, release ${message.release}`);
    }
  };
  socket.onclose = () => {
    clearTimeout(silence);
    say("connecting");
    setTimeout(listen, 200 + Math.random() * 800);
  };
}

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) {
    throw new Error(`${path}: ${answer.status}`);
  }
  return answer.json();
}

async function showTrades() {
  try {
    const { trades } = await get("/api/trades");
    const time = (trade) => new Date(trade.executed_at).toLocaleTimeString();
    document.getElementById("trades").replaceChildren(
      ...trades.map((trade) => line([time(trade), trade.company, trade.quantity, Number(trade.price).toFixed(2)])),
    );
  } catch {
    // The next round shows them.
  }
  setTimeout(showTrades, 5000);
}

async function start() {
  try {
    (await get("/api/companies")).companies.forEach(({ id, name }) => names.set(id, name));
  } catch {
    // Numbers will do.
  }
  listen();
  showTrades();
}

start();
