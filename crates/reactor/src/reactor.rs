//! The reactor: commands go to the driver, completions come back as events.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use io_uring::cqueue;

use crate::accept::{Action, Listeners};
use crate::alarm::Alarm;
use crate::buffers::{Buffers, RecvBuf};
use crate::config::{Io, ReactorConfig, Window};
use crate::datagram::{self, DatagramBuf, Datagrams};
use crate::descriptor;
use crate::doorbells::Doorbells;
use crate::driver::Driver;
use crate::event::Event;
use crate::operation::{Completion, RECV_GROUP, Wait, WhenIdle};
use crate::outgoing::Outgoing;
use crate::parking::Parking;
use crate::peer::Peer;
use crate::pool::BufferPool;
use crate::probe::Features;
use crate::receive::Receivers;
use crate::send::{Begun, Ended, IN_DOUBT, Sends, Verdict};
use crate::send_id::SendId;
use crate::start_error::StartError;
use crate::stream::{Care, Stream};
use crate::token::Token;
use crate::user_data::{Kind, UserData};
use crate::waker::{DoorbellTarget, Waker};
use crate::window_timer::WindowTimer;

/// The network side of one shard; see the crate's page. It lives on one thread.
pub struct Reactor {
    // The driver is dropped first: it ends what refers to the memory of the fields below.
    pub(crate) driver: Driver,
    buffers: Buffers,
    io: Io,
    sends: Sends,
    receivers: Receivers,
    listeners: Listeners,
    datagrams: Datagrams,
    datagram_buffers: u16,
    pool: BufferPool,
    pub(crate) window: WindowTimer,
    /// Events that did not come from the driver, for the next turn.
    pub(crate) pending: Vec<Event>,
    /// Completions being looked at; kept for its capacity.
    completions: Vec<Completion>,
    /// Sends with inserts that ended in this turn; kept for its capacity.
    sent: Vec<Event>,
    waker: Waker,
    pub(crate) parking: Parking,
    pub(crate) alarm: Alarm,
    features: Features,
    care: Care,
    /// Listeners, UDP sockets, and the doorbells of peers.
    kept: Vec<Arc<OwnedFd>>,
    doorbell: DoorbellTarget,
    pub(crate) doorbells: Doorbells,
    _one_thread: PhantomData<*const ()>,
}

impl Reactor {
    /// Sets up a reactor for the calling thread, which must be the one that runs it.
    pub fn new(config: &ReactorConfig) -> Result<Reactor, StartError> {
        let (mut driver, features) = Driver::new(config)?;
        let mut buffers = Buffers::new(config.io, config.buffers, config.buffer_bytes)
            .map_err(StartError::io("map receive buffers"))?;
        buffers
            .register(&mut driver, RECV_GROUP)
            .map_err(StartError::io("register receive buffers"))?;
        let waker = driver.waker().map_err(StartError::io("create a pipe"))?;
        let doorbell = driver
            .doorbell_target()
            .map_err(StartError::io("name the driver"))?;
        Ok(Reactor {
            io: config.io,
            driver,
            buffers,
            sends: Sends::default(),
            receivers: Receivers::default(),
            listeners: Listeners::default(),
            datagrams: Datagrams::new(config.datagram_bytes_max),
            datagram_buffers: config.datagram_buffers,
            pool: BufferPool::new(
                config.send_buffer_bytes,
                config.send_buffer_bytes_max,
                config.send_pool_bytes_max,
            ),
            window: WindowTimer::new(!config.short_window.is_zero()),
            pending: Vec::new(),
            completions: Vec::with_capacity(config.completion_entries as usize),
            sent: Vec::new(),
            waker,
            parking: Parking::default(),
            alarm: Alarm::default(),
            features,
            care: Care::default(),
            kept: Vec::new(),
            doorbell,
            doorbells: Doorbells::default(),
            _one_thread: PhantomData,
        })
    }

    /// The features of the kernel beyond the minimum.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Accepts connections from `listener` until [`Reactor::stop_accept`]; starts a paused listener at once. The
    /// listener stays open as long as this reactor.
    pub fn accept(&mut self, listener: &Arc<OwnedFd>, token: Token) {
        self.keep(listener);
        let action = self.listeners.start(listener.as_raw_fd(), token);
        self.apply(token, action);
    }

    /// Keeps a descriptor open that may be named to the kernel at any time from now on.
    fn keep(&mut self, fd: &Arc<OwnedFd>) {
        if !self.kept.iter().any(|kept| Arc::ptr_eq(kept, fd)) {
            self.kept.push(Arc::clone(fd));
        }
    }

    /// Accepts no more from the listener of `token`. Connections accepted meanwhile are still reported.
    pub fn stop_accept(&mut self, token: Token) {
        let action = self.listeners.stop(token);
        self.apply(token, action);
    }

    /// Whether the kernel still takes connections or datagrams in for this reactor, and so holds a listening socket.
    pub fn is_listening(&self) -> bool {
        self.listeners.are_armed() || self.datagrams.are_armed()
    }

    /// Takes a connected socket into the reactor's care, under the name `token`.
    pub fn open(&mut self, fd: OwnedFd, token: Token) -> Stream {
        Stream::new(fd, token, self.care.clone())
    }

    /// Panics if a stream is another reactor's.
    fn check(&self, stream: &Stream) {
        assert!(self.care.is(&stream.care), "a stream of another reactor");
    }

    /// Receives from a stream until it ends, fails or is cancelled.
    pub fn recv(&mut self, stream: &Stream) {
        self.check(stream);
        let (fd, token) = (stream.as_raw_fd(), stream.token);
        self.receivers.start(&mut self.driver, fd, token);
    }

    /// Receives no more: [`Event::RecvStopped`] follows, unless receiving ends by itself first. Bytes that have arrived
    /// already are reported before that event. Nothing happens if nothing is being received.
    pub fn cancel_recv(&mut self, token: Token) {
        if self.receivers.cancel(&mut self.driver, token) {
            self.pending.push(Event::RecvStopped { token });
        }
    }

    /// Reports [`Event::Readable`] once, as soon as there is something to read from a stream; the caller then reads it
    /// by itself. [`Reactor::recv`] must not be under way: poll when receiving has stopped. The poll ends with the same
    /// events as a receive.
    pub fn poll(&mut self, stream: &Stream) {
        self.check(stream);
        let (fd, token) = (stream.as_raw_fd(), stream.token);
        self.receivers.poll(&mut self.driver, fd, token);
    }

    /// The bytes that arrived.
    pub fn bytes(&self, buf: &RecvBuf) -> &[u8] {
        self.buffers.bytes(buf)
    }

    /// Gives a receive buffer back. The kernel can use it from the next turn on, in which connections that had to wait
    /// for buffers go on by themselves. Buffers may be kept over turns; while all are kept nothing is received.
    pub fn recycle(&mut self, buf: RecvBuf) {
        self.buffers.recycle(buf);
    }

    /// Receive buffers that are not with the caller.
    pub fn buffers_available(&self) -> u16 {
        self.buffers.available()
    }

    /// The number of connections that the reactor remembers: those receiving or sending, and closed ones the kernel is
    /// not done with.
    pub fn connections_known(&self) -> usize {
        self.receivers.len()
    }

    /// An empty buffer to build a send in.
    pub fn take_buffer(&mut self) -> Vec<u8> {
        self.pool.take()
    }

    /// Gives a send buffer back that was not sent after all.
    pub fn give_buffer(&mut self, buffer: Vec<u8>) {
        self.pool.give(buffer);
    }

    /// Bytes of capacity of the send buffers that are kept for use again.
    pub fn pooled_bytes(&self) -> usize {
        self.pool.pooled_bytes()
    }

    /// Sends with the next turn. Returns the id that the events of this send name: that turn reports
    ///
    /// - nothing, if it is done and had no inserts,
    /// - [`Event::SendDone`] or [`Event::SendFailed`], if it has ended otherwise,
    /// - [`Event::SendBlocked`], if it is under way still: then one of those two follows, in that turn or later.
    ///
    /// # Panics
    /// If the stream's last send is not known to have ended: two sends under way would be mixed on the wire.
    pub fn send(&mut self, stream: &mut Stream, outgoing: Outgoing) -> SendId {
        self.check(stream);
        let last = stream.last_send;
        assert!(
            !last.is_some_and(|last| self.sends.is_under_way(last)),
            "a stream has one send under way at most"
        );
        let send = self.begin_send(stream.as_raw_fd(), stream.token, outgoing);
        stream.last_send = Some(send);
        send
    }

    fn begin_send(&mut self, fd: RawFd, token: Token, outgoing: Outgoing) -> SendId {
        if outgoing.is_empty() {
            return self.finish_empty(token, outgoing);
        }
        let (send, begun) = self.sends.start(&mut self.driver, fd, token, outgoing);
        match begun {
            Begun::Inline => {}
            Begun::Waiting => {
                self.receivers.set_waiting_send(fd, token, send);
                self.pending.push(Event::SendBlocked { token, send });
            }
            Begun::Impossible => {
                let Ended { outgoing, .. } = self.sends.end(send);
                self.pending.push(Event::SendFailed {
                    token,
                    send,
                    errno: IN_DOUBT,
                    inserts: outgoing.inserts,
                });
            }
        }
        send
    }

    /// Cancels what is outstanding for a stream and closes it, with the next turn, after the sends queued before. No
    /// further event names its token, but for these: `Received` events of a turn that is already being looked at
    /// (recycle their buffers), one `SendDone` or `SendFailed` if a send with inserts was in flight, and what was known
    /// before: that a send is blocked, or has ended while the reactor parked.
    pub fn close(&mut self, stream: Stream) {
        self.check(&stream);
        let token = stream.token;
        let fd = stream.into_fd();
        if let Some(send) = self
            .receivers
            .close(&mut self.driver, fd.as_raw_fd(), token)
        {
            let number = fd.as_raw_fd();
            self.driver.cancel(number, UserData::send(send));
        }
        self.driver.close(fd);
    }

    /// Receives datagrams from the UDP socket `fd` until [`Reactor::stop_datagrams`]. The socket stays open as long as
    /// this reactor.
    ///
    /// # Errors
    /// If the receive buffers, which the first socket needs, cannot be mapped.
    pub fn recv_datagrams(&mut self, fd: &Arc<OwnedFd>, token: Token) -> io::Result<()> {
        self.keep(fd);
        let buffers = (self.io, self.datagram_buffers);
        self.datagrams
            .start(&mut self.driver, fd.as_raw_fd(), token, buffers)
    }

    /// Receives no more datagrams from the socket of `token`.
    pub fn stop_datagrams(&mut self, token: Token) {
        self.datagrams.stop(&mut self.driver, token);
    }

    /// The sender and the bytes of a datagram; `None` if it did not arrive whole.
    pub fn datagram(&self, buf: &DatagramBuf) -> Option<(Peer, &[u8])> {
        self.datagrams.open(buf)
    }

    /// Gives the buffer of a datagram back.
    pub fn recycle_datagram(&mut self, buf: DatagramBuf) {
        self.datagrams.recycle(buf);
    }

    /// Sends `bytes` from the UDP socket of `token` with the next turn, `step` bytes in each datagram but the last.
    /// Datagrams that the socket has no room for wait, up to [`ReactorConfig::datagram_bytes_max`] bytes in all. If
    /// that would be exceeded, nothing is sent and the result is `false`.
    pub fn send_datagrams(
        &mut self,
        token: Token,
        peer: &Peer,
        bytes: Vec<u8>,
        step: usize,
    ) -> bool {
        match self
            .datagrams
            .send(&mut self.driver, token, peer, bytes, step)
        {
            Ok(()) => true,
            Err(bytes) => {
                self.pool.give(bytes);
                false
            }
        }
    }

    /// Rings a peer with this reactor's next turn. The peer sees [`Event::Doorbell`] in its own next turn, also if it
    /// is parked. If the kernel has no memory for that, this reactor tries again at the end of each window.
    pub fn doorbell(&mut self, peer: &DoorbellTarget) {
        self.keep(&peer.0);
        self.driver.ring_bell(peer.0.as_raw_fd());
    }

    /// By what means this reactor moves bytes.
    pub fn io(&self) -> Io {
        self.io
    }

    /// The target by which peers ring this reactor.
    pub fn doorbell_target(&self) -> DoorbellTarget {
        self.doorbell.clone()
    }

    /// The waker by which other threads wake this reactor.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Sets the length of the warm windows from the next turn on. It is short until this is called. A window under way
    /// is cut short if need be, but never made longer: windows end even if the length changes in each turn.
    #[inline]
    pub fn set_window(&mut self, window: Window) {
        self.window.want(window);
    }

    /// Submits all queued operations and appends what has happened to `events`.
    pub fn turn(&mut self, when_idle: WhenIdle, events: &mut Vec<Event>) -> io::Result<()> {
        let wait = match when_idle {
            WhenIdle::Sleep => Wait::One,
            WhenIdle::Return => Wait::Poll,
        };
        self.run(wait, events)
    }

    /// As [`Self::turn`] with [`WhenIdle::Sleep`], but gathers up to `want` completions for up to `min_wait_usec`
    /// microseconds before it returns: fewer wake-ups for a little latency. Before Linux 6.12 it returns with the first
    /// completion.
    pub fn turn_batched(
        &mut self,
        min_wait_usec: u32,
        want: u32,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        let usec = min_wait_usec;
        let wait = if self.features.min_wait && want > 1 && usec > 0 {
            Wait::Batch { usec, want }
        } else {
            Wait::One
        };
        self.run(wait, events)
    }

    fn run(&mut self, wait: Wait, events: &mut Vec<Event>) -> io::Result<()> {
        self.parking.leave(&self.driver)?;
        events.append(&mut self.pending);
        let is_starving = self.prepare();
        let wait = if events.is_empty() && !is_starving {
            wait
        } else {
            Wait::Poll
        };
        // A turn that does not wait starts the timer, too: a caller that always has something to do has windows as
        // well.
        self.window.start(&mut self.driver);
        let first = events.len();
        if wait != Wait::Poll || !self.driver.has_nothing_to_enter_for() {
            self.driver.enter(wait)?;
        }
        self.take_completions(first, events)?;
        if self.window.report(events) || !self.window.is_enabled() {
            self.doorbells.ring_again(&mut self.driver);
        }
        Ok(())
    }

    /// Gives the kernel the buffers that the caller gave back. True if connections wait for buffers although there are
    /// some.
    pub(crate) fn prepare(&mut self) -> bool {
        self.buffers.publish(&mut self.driver);
        self.datagrams.prepare(&mut self.driver);
        self.receivers
            .rearm(&mut self.driver, self.buffers.available())
    }

    /// Turns the completions of the last `enter` into events, and ends the sends that got no completion. Whether that
    /// `enter` took every entry is asked before completions are looked at: looking at them queues entries for the next
    /// `enter`, which say nothing about the last one.
    pub(crate) fn take_completions(
        &mut self,
        first: usize,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        let is_submitted = self.driver.is_submitted();
        self.harvest(events)?;
        if is_submitted {
            self.settle(first, events);
        } else {
            self.postpone(first, events);
        }
        Ok(())
    }

    /// Turns completions into events until there are none: neither in the queue, where looking at some may have put
    /// more, nor held back by the kernel because they did not fit.
    fn harvest(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        let mut completions = std::mem::take(&mut self.completions);
        let mut flushed = Ok(());
        loop {
            self.driver.take_completions(&mut completions);
            if completions.is_empty() {
                if flushed.is_err() || !self.driver.has_overflow() {
                    break;
                }
                flushed = self.driver.enter(Wait::Poll);
            }
            for completion in completions.drain(..) {
                self.complete(&completion, events);
            }
        }
        self.completions = completions;
        flushed
    }

    /// Ends the sends that got no completion, now that the kernel has taken every one of them and all completions have
    /// been looked at. Their events go before those of this turn, which begin at `first`: a connection's reply is out
    /// before its next request is looked at.
    fn settle(&mut self, first: usize, events: &mut Vec<Event>) {
        let (pool, sent) = (&mut self.pool, &mut self.sent);
        self.sends.settle(|ended| {
            let Ended { token, id, .. } = ended;
            pool.give(ended.outgoing.bytes);
            let inserts = ended.outgoing.inserts;
            if ended.is_told || !inserts.is_empty() {
                sent.push(Event::SendDone {
                    token,
                    send: id,
                    inserts,
                });
            }
        });
        self.datagrams.settle(|bytes| pool.give(bytes));
        if !self.sent.is_empty() {
            events.splice(first..first, self.sent.drain(..));
        }
        self.receivers.settle();
    }

    /// The kernel has not taken every entry, for example for lack of memory. A later turn finds out which sends are
    /// out: until then they count as under way.
    fn postpone(&mut self, first: usize, events: &mut Vec<Event>) {
        let sent = &mut self.sent;
        self.sends
            .postpone(|token, send| sent.push(Event::SendBlocked { token, send }));
        events.splice(first..first, self.sent.drain(..));
    }

    pub(crate) fn complete(&mut self, completion: &Completion, events: &mut Vec<Event>) {
        let Completion {
            user_data,
            result,
            flags,
        } = *completion;
        let token = Token(user_data.payload());
        match user_data.kind() {
            Kind::Recv => self.complete_recv(token, result, flags, events),
            Kind::Poll => events.extend(self.receivers.polled(&mut self.driver, token)),
            Kind::Send => self.complete_send(user_data.payload(), result, events),
            Kind::Accept => self.complete_accept(token, result, flags, events),
            Kind::AcceptRetry => {
                let action = self.listeners.resumed(token);
                self.apply(token, action);
            }
            Kind::Window => self.window.complete(result, cqueue::more(flags)),
            Kind::Alarm => self.alarm.complete(result),
            Kind::Wake => {
                self.driver.rearm_waker();
                events.push(Event::Wake);
            }
            Kind::Doorbell => events.push(Event::Doorbell),
            Kind::Ring => self.doorbells.failed(user_data.payload() as RawFd, -result),
            Kind::RecvDatagram => self.complete_datagram(token, result, flags, events),
            Kind::SendDatagram => {
                let payload = user_data.payload();
                if let Some(bytes) = self.datagrams.complete(&mut self.driver, payload, result) {
                    self.pool.give(bytes);
                }
            }
            Kind::Ignored => {}
        }
    }

    fn complete_recv(&mut self, token: Token, result: i32, flags: u32, events: &mut Vec<Event>) {
        if let Some(index) = cqueue::buffer_select(flags) {
            let buf = self.buffers.received(index, result.max(0) as u32);
            if buf.is_empty() || self.receivers.is_closing(token) {
                self.buffers.recycle(buf);
            } else {
                events.push(Event::Received { token, buf });
            }
        }
        if !cqueue::more(flags) {
            events.extend(self.receivers.ended(&mut self.driver, token, result));
        }
    }

    fn complete_datagram(
        &mut self,
        token: Token,
        result: i32,
        flags: u32,
        events: &mut Vec<Event>,
    ) {
        if let Some(index) = cqueue::buffer_select(flags)
            && let Some(buf) = self.datagrams.received(index, result.max(0) as u32)
        {
            events.push(Event::Datagram { token, buf });
        }
        if !cqueue::more(flags)
            && let datagram::Ended::Failed(errno) = self.datagrams.ended(token, result)
        {
            events.push(Event::DatagramsFailed { token, errno });
        }
    }

    fn complete_accept(&mut self, token: Token, result: i32, flags: u32, events: &mut Vec<Event>) {
        // SAFETY: a completion of an accept, looked at once.
        if let Some(fd) = unsafe { descriptor::adopt(result) } {
            events.push(Event::Accepted { token, fd });
        } else if !self.listeners.is_stopping(token) {
            let errno = -result;
            events.push(Event::AcceptFailed { token, errno });
        }
        if !cqueue::more(flags) {
            let action = self.listeners.ended(token, result);
            self.apply(token, action);
        }
    }

    fn complete_send(&mut self, payload: u64, result: i32, events: &mut Vec<Event>) {
        let send = self.sends.named(payload);
        let (token, fd) = self.sends.stream(send);
        let is_closing = self.receivers.is_closing(token);
        let verdict = self
            .sends
            .complete(&mut self.driver, send, result, is_closing);
        if verdict == Verdict::Continues {
            self.receivers.set_waiting_send(fd, token, send);
            if self.sends.tell(send) {
                events.push(Event::SendBlocked { token, send });
            }
            return;
        }
        self.receivers.clear_waiting_send(token);
        let Ended { outgoing, .. } = self.sends.end(send);
        self.pool.give(outgoing.bytes);
        let inserts = outgoing.inserts;
        if is_closing && inserts.is_empty() {
            return;
        }
        events.push(match verdict {
            Verdict::Failed(errno) => Event::SendFailed {
                token,
                send,
                errno,
                inserts,
            },
            _ => Event::SendDone {
                token,
                send,
                inserts,
            },
        });
    }

    fn finish_empty(&mut self, token: Token, outgoing: Outgoing) -> SendId {
        let send = self.sends.pass();
        self.pool.give(outgoing.bytes);
        let inserts = outgoing.inserts;
        if !inserts.is_empty() {
            self.pending.push(Event::SendDone {
                token,
                send,
                inserts,
            });
        }
        send
    }

    fn apply(&mut self, token: Token, action: Action) {
        match action {
            Action::Nothing => {}
            Action::Arm(fd) => self.driver.accept(fd, UserData::token(Kind::Accept, token)),
            Action::Cancel(fd) => self.driver.cancel(fd, UserData::token(Kind::Accept, token)),
            Action::Pause => self
                .driver
                .start_accept_retry(UserData::token(Kind::AcceptRetry, token)),
        }
    }

    /// Frees the memory that is only worth keeping under load.
    pub(crate) fn shrink(&mut self) {
        self.pool.shrink(PARKED_SEND_BUFFERS);
    }
}

/// Send buffers kept while parked.
const PARKED_SEND_BUFFERS: usize = 16;
