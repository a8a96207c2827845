//! Reads the records of a snapshot on several threads, and hands them over in their order.

use std::{
    io::{self, Read},
    num::NonZero,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use skep_state::Record;

use super::file::read_record;

/// Records travel between threads in batches of about this size.
const BATCH_BYTES: usize = 256 * 1024;

/// Batches that may wait on each side of a thread.
const WAITING_MAX: usize = 2;

/// More threads than this would wait for the one that puts the state together.
const THREADS_MAX: usize = 6;

/// Records as they were written, one after the other.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Batch {
    fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.bytes[start..*end])
    }

    /// Reads as many records as go into a batch; an empty one at the end.
    fn fill(input: &mut impl Read) -> io::Result<Self> {
        let mut batch = Self::default();
        while batch.bytes.len() < BATCH_BYTES && read_record(input, &mut batch.bytes)? {
            batch.ends.push(batch.bytes.len());
        }
        Ok(batch)
    }
}

/// One thread that reads records, from both sides: batches go round all of them in turn.
struct Lane {
    batches: SyncSender<Batch>,
    records: Receiver<Vec<Record>>,
}

/// Hands every record of the stream to `take`, in their order.
///
/// # Errors
/// Where the stream cannot be read, or `take` fails; nothing is handed over after that.
pub(super) fn for_each_record(
    input: &mut (impl Read + Send),
    mut take: impl FnMut(Record) -> io::Result<()>,
) -> io::Result<()> {
    let first = Batch::fill(input)?;
    if first.bytes.len() < BATCH_BYTES {
        return first.records().try_for_each(|record| take(Record::read(record)));
    }
    let threads = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(THREADS_MAX);
    thread::scope(|scope| {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for _ in 0..threads {
            let (lane, work) = lane();
            inputs.push(lane.batches);
            outputs.push(lane.records);
            scope.spawn(work);
        }
        let feeder = scope.spawn(move || feed(input, first, &inputs));
        for records in outputs.iter().cycle() {
            // A lane ends only after its last batch, so none of the others has one that comes later.
            let Ok(records) = records.recv() else { break };
            records.into_iter().try_for_each(&mut take)?;
        }
        feeder.join().expect("reading does not panic")
    })
}

fn lane() -> (Lane, impl FnOnce() + Send) {
    let (batches, to_read) = sync_channel::<Batch>(WAITING_MAX);
    let (read, records) = sync_channel(WAITING_MAX);
    let work = move || {
        for batch in to_read {
            // Nobody wants them any more where an earlier one was no good.
            if read.send(batch.records().map(Record::read).collect()).is_err() {
                return;
            }
        }
    };
    (Lane { batches, records }, work)
}

fn feed(input: &mut impl Read, first: Batch, lanes: &[SyncSender<Batch>]) -> io::Result<()> {
    let mut batch = first;
    for lane in lanes.iter().cycle() {
        if batch.ends.is_empty() || lane.send(batch).is_err() {
            break;
        }
        batch = Batch::fill(input)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests that a state remembers, of 200 bytes each: several batches.
    const COUNT: usize = 4000;

    fn stream(records: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            bytes.extend(u32::try_from(record.len()).unwrap().to_be_bytes());
            bytes.extend(record);
        }
        bytes
    }

    /// A head that announces them all, and requests without outcomes.
    fn records(count: usize) -> Vec<Vec<u8>> {
        let mut state = skep_state::State::default();
        for number in 0..count {
            state.apply(&skep_state::Entry {
                request_id: format!("{number:0>200}"),
                sent: None,
                now: skep_testkit::start(),
                changes: Vec::new(),
            });
        }
        state.records().collect()
    }

    #[test]
    fn records_of_many_batches_come_in_their_order() {
        let records = records(COUNT);
        let mut alone = skep_state::Restore::default();
        for record in &records {
            alone.push(record).unwrap();
        }
        let mut restore = skep_state::Restore::default();
        let bytes = stream(&records);
        let taken = for_each_record(&mut &bytes[..], |record| {
            restore.take(record).map_err(io::Error::other)
        });
        taken.unwrap();
        assert_eq!(restore.finish().unwrap(), alone.finish().unwrap());
    }

    #[test]
    fn a_record_that_is_no_good_ends_it_all() {
        let mut records = records(COUNT);
        records[COUNT / 2] = b"nonsense".to_vec();
        let mut restore = skep_state::Restore::default();
        let bytes = stream(&records);
        let taken = for_each_record(&mut &bytes[..], |record| {
            restore.take(record).map_err(io::Error::other)
        });
        assert_eq!(
            taken.unwrap_err().to_string(),
            "record 2000 of the snapshot cannot be read"
        );
    }

    #[test]
    fn an_end_that_is_missing_is_noticed_after_what_came_before_it() {
        let bytes = stream(&records(COUNT));
        let mut count = 0;
        let taken = for_each_record(&mut &bytes[..bytes.len() - 1], |_| {
            count += 1;
            Ok(())
        });
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(count > 3000, "{count}");
    }
}
