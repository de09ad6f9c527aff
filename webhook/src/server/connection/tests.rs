use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;

use super::*;

const LIFE: Duration = Duration::from_secs(2);

fn connections(most: usize) -> Connections {
    Connections::new(most, LIFE, Counter::default())
}

fn place() -> OwnedSemaphorePermit {
    Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap()
}

fn connection() -> (Connection<DuplexStream>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(64);
    (Connection::unless_silent(ours, place()), theirs)
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_ends_and_one_that_speaks_now_and_then_does_not() {
    let (mut ours, mut theirs) = connection();
    let mut byte = [0];
    for _ in 0..3 {
        tokio::time::advance(SILENCE - Duration::from_secs(1)).await;
        theirs.write_all(b"x").await.unwrap();
        ours.read_exact(&mut byte).await.unwrap();
    }
    let error = ours.read_exact(&mut byte).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn one_that_asks_and_never_takes_its_answers_ends() {
    let (mut ours, mut theirs) = connection();
    theirs.write_all(b"x").await.unwrap();
    ours.read_exact(&mut [0]).await.unwrap();
    let start = Instant::now();
    let error = ours.write_all(&[0; 1000]).await.unwrap_err();
    assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, SILENCE));
}

#[tokio::test(start_paused = true)]
async fn on_a_spare_place_a_connection_ends_whatever_comes() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let mut ours = Connection::for_at_most(LIFE, ours, place());
    let start = Instant::now();
    let speaks = tokio::spawn(async move {
        while theirs.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let error = loop {
        if let Err(error) = ours.read_exact(&mut [0]).await {
            break error;
        }
    };
    assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, LIFE));
    speaks.abort();
}

#[tokio::test]
async fn beyond_the_usual_places_there_are_some_for_one_request_each_and_then_none() {
    let connections = connections(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async || {
        let client = TcpStream::connect(address).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let service = tower::service_fn(async |()| Ok::<_, io::Error>(Response::default()));
        connections.accept(stream, service).await.map(|accepted| (accepted, client))
    };
    let mut held = Vec::new();
    for number in 0..=SPARE {
        let ((connection, service), client) = accept().await.unwrap();
        let answer = tower::ServiceExt::oneshot(service, ()).await.unwrap();
        assert_eq!(answer.headers().contains_key(CONNECTION), number > 0, "{number}");
        held.push((connection, client));
    }
    assert!(accept().await.is_err());
    assert_eq!(connections.refused.get(), 1);
    drop(held.remove(0));
    let ((connection, _), _client) = accept().await.unwrap();
    assert!(connection.lasts, "the usual place is free again");
}
