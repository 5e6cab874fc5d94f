use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Background, free_port, wait_for};

/// How long something that a page does by itself may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The name of an element's id in the protocol (WebDriver section 12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A real browser, headless, driven over the WebDriver protocol (W3C): Chromium. It has a profile
/// of its own, and trusts every certificate.
pub(crate) struct Browser {
    port: u16,
    session: String,
    _process: Background,
    _folder: TempDir,
}

impl Browser {
    /// Starts one that asks for pages in these languages, as in `Accept-Language`.
    pub fn start(languages: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("chromium-").tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new("/usr/bin/chromedriver");
        command.arg(format!("--port={port}")).env("HOME", folder.path());
        let process = Background::start("chromedriver", &mut command, folder.path());
        wait_for("chromedriver", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).ok());
        let profile = folder.path().join("profile");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1100,800",
            "--hide-scrollbars",
            &format!("--user-data-dir={}", profile.display()),
            &format!("--accept-lang={languages}"),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "timeouts": { "pageLoad": 30_000, "script": 10_000 },
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "intl.accept_languages": languages },
            },
        } } });
        let answer = call(port, "POST", "/session", &wanted).unwrap();
        let session = answer["sessionId"].as_str().unwrap().to_owned();
        Self { port, session, _process: process, _folder: folder }
    }

    /// Opens a page, and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url })).unwrap();
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.command("GET", "/url", &Value::Null).unwrap().as_str().unwrap().to_owned()
    }

    /// The page's title.
    pub fn title(&self) -> String {
        self.command("GET", "/title", &Value::Null).unwrap().as_str().unwrap().to_owned()
    }

    /// The page as it is now.
    pub fn source(&self) -> String {
        self.command("GET", "/source", &Value::Null).unwrap().as_str().unwrap().to_owned()
    }

    /// Waits until the page's title holds this.
    pub fn wait_for_title(&self, part: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.title().contains(part) {
            let late = Instant::now() > deadline;
            assert!(!late, "{:?} is not {part:?}: {}", self.title(), self.source());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Types a text into the field that a CSS selector finds, in the place of what is there.
    pub fn write(&self, selector: &str, text: &str) {
        let element = self.wait_for(selector);
        self.command("POST", &format!("/element/{element}/clear"), &json!({})).unwrap();
        self.keys(&element, text);
    }

    /// Clicks what a CSS selector finds, when it can be clicked.
    pub fn click(&self, selector: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let element = self.wait_for(selector);
            match self.command("POST", &format!("/element/{element}/click"), &json!({})) {
                Ok(_) => return,
                Err(error) if Instant::now() > deadline => panic!("{selector}: {error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Presses keys where the focus is: letters, or the private characters of WebDriver section
    /// 17.4.2.
    pub fn press(&self, keys: &str) {
        let active = self.command("GET", "/element/active", &Value::Null).unwrap();
        let element = active[ELEMENT].as_str().unwrap().to_owned();
        self.keys(&element, keys);
    }

    /// The text that is seen of what a CSS selector finds.
    pub fn text(&self, selector: &str) -> String {
        let element = self.wait_for(selector);
        let text = self.command("GET", &format!("/element/{element}/text"), &Value::Null).unwrap();
        text.as_str().unwrap().to_owned()
    }

    /// What stands in the field that a CSS selector finds.
    pub fn value(&self, selector: &str) -> String {
        let element = self.wait_for(selector);
        let path = format!("/element/{element}/property/value");
        let value = self.command("GET", &path, &Value::Null).unwrap();
        value.as_str().unwrap().to_owned()
    }

    /// What a script comes to.
    pub fn run(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", &json!({ "script": script, "args": [] })).unwrap()
    }

    /// The cookies that it has for the page.
    pub fn cookies(&self) -> Vec<Value> {
        let cookies = self.command("GET", "/cookie", &Value::Null).unwrap();
        cookies.as_array().unwrap().clone()
    }

    /// Has pages shown as to somebody who likes them `light` or `dark`.
    pub fn prefer(&self, scheme: &str) {
        let parameters = json!({
            "cmd": "Emulation.setEmulatedMedia",
            "params": { "features": [{ "name": "prefers-color-scheme", "value": scheme }] },
        });
        self.command("POST", "/goog/cdp/execute", &parameters).unwrap();
    }

    /// Makes a picture of what is seen, `width` by `height`, as a PNG.
    pub fn picture(&self, width: u32, height: u32, path: &Path) {
        let parameters = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        } });
        self.command("POST", "/goog/cdp/execute", &parameters).unwrap();
        let picture = self.command("GET", "/screenshot", &Value::Null).unwrap();
        fs::write(path, base64(picture.as_str().unwrap())).unwrap();
    }

    fn keys(&self, element: &str, text: &str) {
        let path = format!("/element/{element}/value");
        self.command("POST", &path, &json!({ "text": text })).unwrap();
    }

    /// Waits for what a CSS selector finds.
    pub fn wait_for(&self, selector: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let wanted = json!({ "using": "css selector", "value": selector });
        loop {
            if let Ok(found) = self.command("POST", "/element", &wanted) {
                return found[ELEMENT].as_str().unwrap().to_owned();
            }
            let at = || format!("{} {}", self.url(), self.source());
            assert!(Instant::now() < deadline, "there is no {selector}: {}", at());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn command(&self, method: &str, path: &str, parameters: &Value) -> Result<Value, String> {
        call(self.port, method, &format!("/session/{}{path}", self.session), parameters)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, its driver behind it.
        let _ = self.command("DELETE", "", &Value::Null);
    }
}

/// One command of the protocol, on a connection of its own.
fn call(port: u16, method: &str, path: &str, parameters: &Value) -> Result<Value, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let body = match parameters {
        Value::Null => String::new(),
        parameters => parameters.to_string(),
    };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
    // The driver keeps the connection, whatever is asked of it.
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).map_err(|e| e.to_string())?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(|_| line.clone())?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(|e| e.to_string())?;
    let body: Value = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
    match &body["value"] {
        value if value.get("error").is_some() => Err(value["message"].to_string()),
        value => Ok(value.clone()),
    }
}

fn base64(text: &str) -> Vec<u8> {
    use std::process::Stdio;
    let mut decoder = Command::new("/usr/bin/base64")
        .arg("-d")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = decoder.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = decoder.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}
