//! What a Service is to the API server: one address for several replicas, of which those get new
//! connections that say they are ready.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::port::Port;
use crate::webhook::Caller;

/// How often a replica is asked. A kubelet does so every few seconds, and a webhook's delay before it
/// drains is as much longer.
const PERIOD: Duration = Duration::from_millis(100);

/// How long it may take to answer.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Hands connections on to the replicas that are ready, in turn. What is open stays where it is. Ends
/// when dropped, and with the runtime in which it was started.
pub struct Balancer {
    port: Port,
    ready: Arc<Mutex<Vec<u16>>>,
    _tasks: JoinSet<()>,
}

impl Balancer {
    /// One for the replicas at these ports, whether they run already or not.
    pub async fn start(replicas: &[u16]) -> Result<Self> {
        let port = Port::claim()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number()))
            .await
            .with_context(|| format!("the balancer's port {} is taken", port.number()))?;
        let ready = Arc::new(Mutex::default());
        let mut tasks = JoinSet::new();
        for &replica in replicas {
            tasks.spawn(probe(replica, Caller::anyone(replica).await?, ready.clone()));
        }
        tasks.spawn(balance(listener, ready.clone()));
        Ok(Self { port, ready, _tasks: tasks })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The ports of the replicas that get new connections now.
    pub fn ready(&self) -> Vec<u16> {
        lock(&self.ready).clone()
    }
}

async fn probe(replica: u16, caller: Caller, ready: Arc<Mutex<Vec<u16>>>) {
    loop {
        let answer = timeout(TIMEOUT, caller.get("/readyz")).await;
        let is_ready = matches!(answer, Ok(Ok(_)));
        {
            let mut ready = lock(&ready);
            ready.retain(|&other| other != replica);
            if is_ready {
                ready.push(replica);
            }
        }
        sleep(PERIOD).await;
    }
}

async fn balance(listener: TcpListener, ready: Arc<Mutex<Vec<u16>>>) {
    let mut connections = JoinSet::new();
    let mut turn = 0_usize;
    while let Ok((mut from, _)) = listener.accept().await {
        let replica = {
            let mut ready = lock(&ready).clone();
            ready.sort_unstable();
            turn = turn.wrapping_add(1);
            ready.get(turn % ready.len().max(1)).copied()
        };
        // Without one the connection is closed, as a Service without endpoints refuses it.
        let Some(replica) = replica else { continue };
        connections.spawn(async move {
            if let Ok(mut to) = TcpStream::connect((Ipv4Addr::LOCALHOST, replica)).await {
                // Whoever ends it, and how, both ends see.
                let _ = copy_bidirectional(&mut from, &mut to).await;
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

fn lock(ready: &Mutex<Vec<u16>>) -> std::sync::MutexGuard<'_, Vec<u16>> {
    ready.lock().unwrap_or_else(PoisonError::into_inner)
}
