//! The same documents in etcd.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::runtime::Runtime;
use tonic::{Status, transport::Channel};

use crate::store::{
    Etcd, SERVERS,
    wire::{Nothing, OneKey, PutKey, call},
};

/// Documents in one page of a list.
pub(crate) const PAGE: usize = 500;

/// Writes in flight.
const AT_ONCE: usize = 256;

/// A page of keys and values.
#[derive(Clone, PartialEq, prost::Message)]
struct Page {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    range_end: Bytes,
    #[prost(int64, tag = "3")]
    limit: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Pair {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Pairs {
    #[prost(message, repeated, tag = "2")]
    kvs: Vec<Pair>,
}

/// Three members of etcd with documents in them.
pub(crate) struct Peer {
    pub(crate) etcd: Etcd,
    lines: Vec<Channel>,
}

impl Peer {
    /// Starts them and writes the documents; seconds that writing took.
    pub(crate) fn fill(runtime: &Runtime, documents: impl Iterator<Item = Value>) -> (Self, f64) {
        let etcd = Etcd::start();
        let _inside = runtime.enter();
        let lines = (0..SERVERS).map(|member| line(&etcd, member)).collect();
        let peer = Self { etcd, lines };
        runtime.block_on(peer.wait(0));
        let start = Instant::now();
        let puts = documents.enumerate().map(|(number, document)| {
            let line = peer.lines[number % SERVERS].clone();
            async move {
                let request = PutKey {
                    key: key(number),
                    value: document.to_string().into(),
                };
                let _: Nothing = call(&line, "/etcdserverpb.KV/Put", request).await?;
                Ok::<(), Status>(())
            }
        });
        let written = stream::iter(puts).buffer_unordered(AT_ONCE).try_collect::<()>();
        runtime.block_on(written).expect("etcd takes the documents");
        (peer, start.elapsed().as_secs_f64())
    }

    /// Reads all documents, page by page; seconds.
    pub(crate) fn list(&self, runtime: &Runtime) -> f64 {
        let start = Instant::now();
        runtime.block_on(async {
            let mut from = Bytes::from_static(b"/");
            loop {
                let request = Page {
                    key: from.clone(),
                    range_end: Bytes::from_static(b"0"),
                    limit: i64::try_from(PAGE).expect("a small number"),
                };
                let pairs: Pairs = call(&self.lines[0], "/etcdserverpb.KV/Range", request)
                    .await
                    .expect("etcd answers");
                match pairs.kvs.last() {
                    Some(last) if pairs.kvs.len() == PAGE => from = [&last.key[..], &[0]].concat().into(),
                    _ => return,
                }
            }
        });
        start.elapsed().as_secs_f64()
    }

    /// Kills a member and starts it again: seconds until it answers a linearizable read.
    pub(crate) fn restart(&mut self, runtime: &Runtime, member: usize) -> f64 {
        self.etcd.kill(member);
        let start = Instant::now();
        self.etcd.start_member(member);
        runtime.block_on(self.wait(member));
        start.elapsed().as_secs_f64()
    }

    async fn wait(&self, member: usize) {
        loop {
            let line = line(&self.etcd, member);
            let asked: Result<Nothing, _> =
                call(&line, "/etcdserverpb.KV/Range", OneKey { key: key(0) }).await;
            if asked.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn line(etcd: &Etcd, member: usize) -> Channel {
    let endpoint = skep_trust::endpoint(&etcd.addresses[member]).expect("an address");
    endpoint.connect_with_connector_lazy(skep_trust::Connector::new(etcd.client_config()))
}

fn key(number: usize) -> Bytes {
    format!("/objects/default/{number:08}").into()
}
