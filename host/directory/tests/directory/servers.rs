//! What becomes of searches when servers stop, hang and come back: with real slapds.

use std::time::Duration;

use tokio::time::Instant;
use waypost_directory::{Directory, LdapSettings, SearchError};

use crate::support::slapd::{Slapd, free_port};
use crate::support::{Ask, PEOPLE, finding, ldap, look_up, settings, slapd, until};

/// A server that can be told from others by Bert's `mailHost`.
fn named(name: &str) -> Slapd {
    let content = PEOPLE.replace("mailHost: south.example.test,", &format!("mailHost: {name},"));
    slapd::with(&content).start()
}

/// The name of the server that answered.
async fn who_answers(directory: &Directory) -> Result<String, SearchError> {
    let attributes = &["mailHost"];
    let page = Ask { filter: "(uid=bert)", attributes, ..Ask::default() }.of(directory).await?;
    let value = &page.entries[0].attributes[0].1[0];
    let name = value.split(|b| *b == b',').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

fn count(log: &str, word: &str) -> usize {
    log.matches(word).count()
}

#[tokio::test]
async fn the_first_server_that_answers_is_used_and_the_first_of_all_returned_to() {
    let (mut first, second) = (named("first"), named("second"));
    let nobody = format!("ldap://127.0.0.1:{}", free_port());
    let directory = ldap(settings(&[first.url(), nobody, second.url()]));
    assert_eq!(who_answers(&directory).await.unwrap(), "first");
    first.kill();
    until("fail-over", async || who_answers(&directory).await == Ok("second".into())).await;
    // The second is used for as long as the first is down.
    for _ in 0..10 {
        assert_eq!(who_answers(&directory).await.unwrap(), "second");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    first.restart();
    until("fail-back", async || who_answers(&directory).await == Ok("first".into())).await;
    // Both connections return.
    until("fail-back of all", async || {
        let answers = [who_answers(&directory).await, who_answers(&directory).await];
        answers.iter().all(|answer| *answer == Ok("first".into()))
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_and_comes_back() {
    let mut slapd = slapd::with(PEOPLE).start();
    let directory = ldap(settings(&[slapd.url()]));
    look_up(&directory).await.unwrap();
    slapd.kill();
    until("unavailable", async || look_up(&directory).await.is_err()).await;
    // From now on nobody waits.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let start = Instant::now();
    let error = look_up(&directory).await.unwrap_err();
    assert_eq!(error.kind(), "unavailable");
    assert!(error.to_string().contains("is the server running"), "{error}");
    assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
    slapd.restart();
    until("reconnecting", async || look_up(&directory).await.is_ok()).await;
}

/// A hanging server costs the searches that are under way their time; those that come later are
/// told at once, until it goes on.
#[tokio::test]
async fn a_server_that_hangs() {
    let slapd = slapd::with(PEOPLE).start();
    let directory = ldap(settings(&[slapd.url()]));
    look_up(&directory).await.unwrap();
    slapd.hang();
    let start = Instant::now();
    let together = std::array::from_fn::<_, 20, _>(|_| {
        let directory = directory.clone();
        tokio::spawn(async move { look_up(&directory).await })
    });
    for search in together {
        assert!(search.await.unwrap().is_err());
    }
    // The search timeout, and some for a busy machine.
    assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..5 {
        let start = Instant::now();
        assert_eq!(look_up(&directory).await.unwrap_err().kind(), "unavailable");
        assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
    }
    slapd.go_on();
    until("going on", async || look_up(&directory).await.is_ok()).await;
}

#[tokio::test]
async fn another_server_answers_for_one_that_hangs() {
    let (first, second) = (named("first"), named("second"));
    let mut settings = settings(&[first.url(), second.url()]);
    settings.fail_back_after = Duration::from_secs(3600);
    let directory = ldap(settings);
    assert_eq!(who_answers(&directory).await.unwrap(), "first");
    first.hang();
    assert_eq!(who_answers(&directory).await, Err(SearchError::Timeout));
    for _ in 0..4 {
        let start = Instant::now();
        assert_eq!(who_answers(&directory).await.unwrap(), "second");
        assert!(start.elapsed() < Duration::from_millis(700), "{:?}", start.elapsed());
    }
    first.go_on();
}

/// Searches that are under way on a connection that is lost are asked again on another.
#[tokio::test]
async fn a_lost_connection_is_not_noticed_where_another_server_answers() {
    let (mut first, second) = (named("first"), named("second"));
    let directory = ldap(settings(&[first.url(), second.url()]));
    assert_eq!(who_answers(&directory).await.unwrap(), "first");
    first.hang();
    let search = tokio::spawn({
        let directory = directory.clone();
        async move { who_answers(&directory).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    first.kill();
    assert_eq!(search.await.unwrap().unwrap(), "second");
}

#[tokio::test]
async fn connections_are_replaced_while_searches_go_on() {
    let slapd = slapd::with(PEOPLE).start();
    let settings = LdapSettings { recycle_searches: 20, ..settings(&[slapd.url()]) };
    let directory = ldap(settings);
    for _ in 0..200 {
        look_up(&directory).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let connections = count(&slapd.log(), " BIND ");
    assert!((5..=20).contains(&connections), "{connections}");
    // Old ones are closed.
    until("closing", async || count(&slapd.log(), " closed") >= connections - 2).await;
    drop(directory);
    until("closing all", async || count(&slapd.log(), " closed") >= connections).await;
    assert!(slapd.log().contains("UNBIND"));
}

#[tokio::test]
async fn connections_are_replaced_when_they_are_old() {
    let slapd = slapd::with(PEOPLE).start();
    let recycle_age = Duration::from_millis(200);
    let directory = ldap(LdapSettings { recycle_age, connections: 1, ..settings(&[slapd.url()]) });
    until("replacing", async || {
        look_up(&directory).await.unwrap();
        count(&slapd.log(), " closed") >= 3
    })
    .await;
}

/// Every search here takes the server two seconds.
const SLOW: &str = "moduleload retcode\n";
const SLOWLY: &str = "overlay retcode\nretcode-parent \"cn=none\"\nretcode-sleep 2\n";

#[tokio::test]
async fn a_search_that_nobody_waits_for_is_abandoned() {
    let slapd = slapd::with(PEOPLE).global(SLOW).database(SLOWLY).start();
    let directory = ldap(LdapSettings {
        search_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        ..settings(&[slapd.url()])
    });
    until("connecting", async || count(&slapd.log(), "RESULT tag=97 err=0") >= 2).await;
    // Dropped.
    let gone = tokio::time::timeout(Duration::from_millis(300), look_up(&directory)).await;
    assert!(gone.is_err());
    until("abandoning", async || count(&slapd.log(), "ABANDON") == 1).await;
    // Out of time, so soon that it says nothing about the server.
    let query = Ask::default().bind(&directory);
    let deadline = Instant::now() + Duration::from_millis(300);
    assert_eq!(directory.search(&query, deadline).await, Err(SearchError::Timeout));
    assert!(deadline.elapsed() < Duration::from_millis(400));
    until("abandoning", async || count(&slapd.log(), "ABANDON") == 2).await;
    // Out of time, and nothing was heard from the server for long: the connection is given up. It
    // is the second to be closed, the first being that of the test's own start.
    assert_eq!(count(&slapd.log(), " closed"), 1);
    let deadline = Instant::now() + Duration::from_millis(600);
    assert_eq!(directory.search(&query, deadline).await, Err(SearchError::Timeout));
    until("closing", async || count(&slapd.log(), " closed") >= 2).await;
}

/// Each worker has a runtime of its own; the connections live on another.
#[test]
fn searches_come_from_any_runtime() {
    let slapd = slapd::with(PEOPLE).start();
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let directory = control.block_on(async { ldap(settings(&[slapd.url()])) });
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let control = std::thread::spawn(move || control.block_on(stopped));
    let workers = std::array::from_fn::<_, 4, _>(|_| {
        let directory = directory.clone();
        std::thread::spawn(move || {
            let worker =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            worker.block_on(async {
                let together: Vec<_> = (0..100)
                    .map(|_| {
                        let directory = directory.clone();
                        tokio::spawn(async move { look_up(&directory).await.unwrap() })
                    })
                    .collect();
                for search in together {
                    assert_eq!(search.await.unwrap().entries.len(), 1);
                }
            });
        })
    });
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!(count(&slapd.log(), " BIND "), 2, "two connections carry them all");
    stop.send(()).unwrap();
    control.join().unwrap().unwrap();
}

#[tokio::test]
async fn what_a_server_refuses() {
    let slapd =
        slapd::with(PEOPLE).global("sizelimit 3\nreferral ldap://elsewhere.example.test\n").start();
    let directory = ldap(settings(&[slapd.url()]));
    // Its own limit.
    let page = Ask::default().of(&directory).await.unwrap();
    assert_eq!((page.entries.len(), page.complete), (3, false));
    // A name with an attribute that it does not know.
    let base = "noSuchAttribute=x,dc=example,dc=test";
    let error = Ask { base, ..Ask::default() }.of(&directory).await.unwrap_err();
    assert_eq!(error.kind(), "bad-request");
    assert!(error.to_string().contains("invalidDNSyntax (34)"), "{error}");
    // A base that another server holds.
    let elsewhere = LdapSettings { base: "dc=elsewhere".into(), ..settings(&[slapd.url()]) };
    let directory = ldap(elsewhere);
    let base = "dc=elsewhere";
    let error = Ask { base, ..Ask::default() }.of(&directory).await.unwrap_err();
    assert!(error.to_string().contains("name that server in the directory's URLs"), "{error}");
    assert!(finding(&directory).await.unwrap_err().contains("name that server"));
}

#[tokio::test]
async fn the_operators_limits() {
    let slapd = slapd::with(PEOPLE).start();
    let mut settings = settings(&[slapd.url()]);
    settings.limits.entries = 3;
    let directory = ldap(settings.clone());
    assert_eq!(Ask::default().of(&directory).await, Err(SearchError::TooLarge));
    let three = Ask { size_limit: 3, attributes: &["cn"], ..Ask::default() };
    assert!(!three.of(&directory).await.unwrap().complete);
    settings.limits.octets = 150;
    let directory = ldap(settings);
    assert_eq!(three.of(&directory).await, Err(SearchError::TooLarge));
    assert_eq!(look_up(&directory).await.unwrap().entries.len(), 1);
}
