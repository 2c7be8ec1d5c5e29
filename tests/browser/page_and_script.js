// A page and a Nyash script talk through a hub. The page's JavaScript is the example of docs/protocol.md as it stands
// there; only the port of the hub is put in. Then they ask each other.
//
//     node page_and_script.js CHROMIUM NYASH SMALL_HUB PROTOCOL_MD
"use strict";
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const readline = require("node:readline");
const { chromium } = require("playwright-core");

const [chromiumPath, nyash, smallHub, protocol] = process.argv.slice(2);
const kGuard = 60_000; // milliseconds after which something is wrong

const script = `
bob = new P2PBox("bob", "websocket")
bob.on("chat.message", function(intent, from) {
    print(from + ": " + intent.payload.text)
    bob.send(from, new IntentBox("chat.message", { text: "hello, page" }))
})
bob.on("add", function(intent, from) { return intent.payload[0] + intent.payload[1] })
bob.on("ask me", function(intent, from) {
    print(bob.request("page", new IntentBox("colour", null)))
    bob.close()
})
bob.onState(function(state, problem) { print(state) })
`;

// What a page does beyond the example: it asks, with a number of its own, and answers with the asker's.
const questions = `
socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(data.split("\\n")[0]);
    if (frame.k === "q") socket.send(JSON.stringify({ t: "m", to: frame.from, from: "page", k: "r", re: frame.q }) + "\\n\\"blue\\"");
});
socket.send('{"t":"m","to":"bob","from":"page","n":"add","q":42,"k":"q"}\\n[2,3]');
send("bob", "ask me", null);
`;

function check(got, wanted, what) {
    if (got !== wanted) throw new Error(`${what}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`);
}

// The block of JavaScript in the document, with the hub's address instead of the one everybody reads.
function exampleFor(url) {
    const blocks = [...fs.readFileSync(protocol, "utf8").matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(match => match[1]);
    const example = blocks.find(block => block.includes("new WebSocket("));
    const parts = example.split('"ws://localhost:8080"');
    check(parts.length, 2, "addresses of a hub in the example");
    return parts.join(JSON.stringify(url));
}

// A program, and the lines it prints.
function start(command, args, env) {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "inherit"] });
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const line = async () => (await lines.next()).value;
    const ended = new Promise(resolve => child.on("exit", (code, signal) => resolve(signal ?? code)));
    return { child, line, ended };
}

async function main() {
    const cleanups = [];
    const guard = setTimeout(() => {
        console.error("the page and the script have not met in time");
        process.exit(1);
    }, kGuard);
    try {
        const server = http.createServer((request, response) => {
            response.setHeader("content-type", "text/html");
            response.end("<!doctype html><title>A page</title>");
        });
        await new Promise(resolve => server.listen(0, "127.0.0.1", resolve));
        cleanups.push(() => server.close());
        const origin = `http://127.0.0.1:${server.address().port}`;

        const hub = start(smallHub, ["0", origin]);
        cleanups.push(() => hub.child.kill());
        const url = await hub.line();
        const bob = start(nyash, ["-e", script], { NYAMESH_HUB: url });
        cleanups.push(() => bob.child.kill());
        check(await bob.line(), "connected", "the script's state");

        const browser = await chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
        cleanups.push(() => browser.close());
        const page = await browser.newPage();
        page.on("pageerror", error => console.error("the page: " + error));
        const heard = () => new Promise(resolve => {
            page.once("console", async message => {
                const values = await Promise.all(message.args().map(value => value.jsonValue()));
                resolve(JSON.stringify(values.length > 0 ? values : message.text()));
            });
        });
        const greeting = heard();
        await page.goto(origin);
        await page.addScriptTag({ content: exampleFor(url) });
        check(await greeting, '["bob","chat.message",{"text":"hello, page"}]', "what the page has heard");
        check(await bob.line(), "page: hello from a page", "what the script has heard");

        const answer = heard();
        await page.addScriptTag({ content: questions });
        check(await answer, '["bob",null,5]', "what the script has answered");
        check(await bob.line(), "Ok(blue)", "what the page has answered");
        check(await bob.ended, 0, "the script's status");
        console.log("a page and a script have met");
    } finally {
        clearTimeout(guard);
        for (const cleanup of cleanups.reverse()) await cleanup();
    }
}

main().catch(error => {
    console.error(error.message);
    process.exitCode = 1;
});
