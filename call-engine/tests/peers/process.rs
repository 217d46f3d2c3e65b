//! A peer's process: started with its output in files, waited for with a bound, ended when its handle is dropped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::wait_until;

/// One child process. It stays in the test's process group, so that whoever ends the test ends it too.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    ended: Option<ExitStatus>,
    output: PathBuf,
    errors: PathBuf,
}

impl Process {
    /// Starts `command` in `folder`, with nothing to read; what it writes goes to `<name>.out` and `<name>.err` there, and the command line
    /// to `<name>.command`.
    ///
    /// # Panics
    ///
    /// When the program is not there: the message names the Debian package that has it.
    #[track_caller]
    pub(crate) fn start(name: &str, package: &str, mut command: Command, folder: &Path) -> Self {
        let output = folder.join(format!("{name}.out"));
        let errors = folder.join(format!("{name}.err"));
        fs::write(folder.join(format!("{name}.command")), format!("{command:?}\n"))
            .expect("the test's folder is writable");
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(File::create(&output).expect("the test's folder is writable"))
            .stderr(File::create(&errors).expect("the test's folder is writable"));
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!(
                "cannot start {:?}: {error}; it comes with Debian's package {package} (scripts/test.sh peers installs it)",
                command.get_program()
            ),
        };
        Self { name: name.to_owned(), child, ended: None, output, errors }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, or `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("the child is ours to wait for");
        }
        self.ended
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("{} should end", self.name);
        wait_until(&what, patience, || self.ended())
    }

    /// What it has written to standard output and standard error so far.
    pub(crate) fn written(&self) -> String {
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        read(&self.output) + &read(&self.errors)
    }

    /// Fails the test if it has ended: for use in conditions that only a living peer can fulfil.
    #[track_caller]
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended ({status}); its last words:\n{}", self.name, last_lines(&self.written(), 20));
        }
    }

    /// Asks it to end (SIGTERM), so that it can end its own children; what does not listen is killed.
    pub(crate) fn stop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        // There is no safe call for SIGTERM in the standard library; the shell's `kill` is everywhere.
        let asked = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &self.id().to_string()]).status();
        let deadline = Instant::now() + Duration::from_secs(3);
        while asked.is_ok() && Instant::now() < deadline {
            if self.ended().is_some() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        // Fails only when it has ended in the meantime.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The last `count` lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
