//! The double for tests of other crates, and what is counted.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use waypost_directory::{
    Directory, Exchange, FaultyDirectory, LdifDirectory, LdifSettings, LdifSource, Metrics,
    ReplayDirectory, SearchError,
};

use crate::support::{Ask, BASE, PEOPLE, ldif, look_up};

#[tokio::test]
async fn a_directory_that_fails_on_demand() {
    let faults = FaultyDirectory::new(ldif(PEOPLE));
    let directory = Directory::Faulty(faults.clone());
    assert_eq!(directory.base(), BASE);
    assert_eq!(look_up(&directory).await.unwrap().entries.len(), 1);
    let error = SearchError::Unavailable("a test".into());
    faults.fail(error.clone());
    assert_eq!(look_up(&directory).await, Err(error));
    faults.heal();
    faults.delay(Duration::from_millis(30));
    let start = Instant::now();
    assert_eq!(look_up(&directory).await.unwrap().entries.len(), 1);
    assert!(start.elapsed() >= Duration::from_millis(30));
    faults.delay(Duration::from_secs(60));
    let query = Ask::default().bind(&directory);
    let deadline = std::time::Instant::now() + Duration::from_millis(20);
    assert_eq!(directory.search(&query, deadline).await, Err(SearchError::Timeout));
    assert_eq!(faults.searches(), 4);
}

#[tokio::test]
async fn searches_are_counted() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let source = LdifSource::Content(PEOPLE.as_bytes().into());
    let settings = LdifSettings::new("main", source);
    let directory = Directory::Ldif(LdifDirectory::load(settings, &metrics).unwrap());
    look_up(&directory).await.unwrap();
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    for line in [
        "waypost_directory_searches_total{directory=\"main\",outcome=\"ok\"} 1",
        "waypost_directory_searches_total{directory=\"main\",outcome=\"timeout\"} 0",
        "waypost_directory_search_seconds_count{directory=\"main\"} 1",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test]
async fn one_search_of_several_fails() {
    let faults = FaultyDirectory::new(ldif(PEOPLE));
    let directory = Directory::Faulty(faults.clone());
    look_up(&directory).await.unwrap();
    faults.fail(SearchError::Timeout);
    faults.only(2);
    assert!(look_up(&directory).await.is_ok());
    assert_eq!(look_up(&directory).await, Err(SearchError::Timeout));
    assert!(look_up(&directory).await.is_ok());
    faults.heal();
    faults.fail(SearchError::TooLarge);
    assert_eq!(look_up(&directory).await, Err(SearchError::TooLarge), "every search again");
}

#[tokio::test]
async fn what_was_recorded_is_answered_once() {
    let recorded = ldif(PEOPLE);
    let (filter, parameters) = ("(mail={0})", &[&b"bert@example.test"[..]][..]);
    let query = Ask { filter, parameters, attributes: &["uid"], ..Ask::default() }.bind(&recorded);
    let answer = look_up(&recorded).await;
    let replay = ReplayDirectory::new("main", BASE).unwrap();
    let directory = Directory::Replay(replay.clone());
    assert_eq!((&**directory.name(), directory.base()), ("main", BASE));
    let exchange = Exchange::new(&query, answer.clone());
    let timeout = Exchange { answer: Err(SearchError::Timeout), ..exchange.clone() };
    replay.load(vec![exchange.clone(), timeout]);
    assert_eq!(look_up(&directory).await, answer);
    assert_eq!(replay.left().len(), 1);
    assert_eq!(look_up(&directory).await, Err(SearchError::Timeout));
    assert!(replay.left().is_empty() && replay.unrecorded().is_empty());
    assert!(matches!(look_up(&directory).await, Err(SearchError::Other(_))), "once each");
    let [unrecorded] = &replay.unrecorded()[..] else { panic!("{:?}", replay.unrecorded()) };
    assert!(unrecorded.contains(&query.filter_string()), "{unrecorded}");
    // Everything that was asked counts.
    for other in [
        Exchange { size_limit: exchange.size_limit + 1, ..exchange.clone() },
        Exchange { attributes: vec!["cn".into()], ..exchange.clone() },
        Exchange { base: "dc=other".into(), ..exchange.clone() },
    ] {
        replay.load(vec![other]);
        assert!(matches!(look_up(&directory).await, Err(SearchError::Other(_))));
        assert_eq!(replay.left().len(), 1);
    }
    assert!(ReplayDirectory::new("main", "no name").is_err());
}
