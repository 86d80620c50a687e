/** The page: puts the reader and the publisher, each a thread of its own, together with what shows them. */
import { CHAT, HELLO, TICKER } from './channels.js';
import { ChatView } from './chat-view.js';
import { element } from './dom.js';
import { HelloView } from './hello-view.js';
import { JournalView } from './journal-view.js';
import { LedgerView } from './ledger-view.js';
import type { PublisherCommand, PublisherReport } from './publisher-messages.js';
import type { Delivery, Note, ReaderCommand, ReaderReport, ReaderState } from './reader-messages.js';
import { TickerControls } from './ticker-controls.js';
import { TickerView } from './ticker-view.js';

const OFFLINE_MS = 3_000;
const FROZEN_MS = 5_000;
/** Long enough for the flood to be published meanwhile, on a busy machine too. */
const FLOODED_MS = 8_000;

const readerThread = new Worker(`reader-worker.js${location.hash}`, { type: 'module' });
const publisherThread = new Worker(`publisher-worker.js${location.hash}`, { type: 'module' });
const tellReader = (command: ReaderCommand) => readerThread.postMessage(command);
const tellPublisher = (command: PublisherCommand) => publisherThread.postMessage(command);

const ledger = new LedgerView();
const journal = new JournalView();
const ticker = new TickerView();
const hello = new HelloView();
const chat = new ChatView((line) => tellReader({ type: 'publish', id: line.id, channel: CHAT, data: line }));
const controls = new TickerControls((rate) => tellPublisher({ type: 'rate', rate }));
const knives = ['cut', 'freeze', 'flood', 'kill'].map((id) => element(id));

/** Between a `frozen` and a `thawed`: the reader itself cannot say it. */
let frozen = false;
let state: ReaderState | undefined;

onKnife('cut', () => tellReader({ type: 'cut', offlineMs: OFFLINE_MS }));
onKnife('freeze', () => tellReader({ type: 'freeze', forMs: FROZEN_MS }));
onKnife('flood', () => {
  tellReader({ type: 'freeze', forMs: FLOODED_MS });
  tellPublisher({ type: 'flood' });
});

// The hash of the address may be a token, which a reload needs.
element('show-code').addEventListener('click', (event) => {
  event.preventDefault();
  element('code').scrollIntoView({ behavior: 'smooth' });
});

// `npm run demo:two` has a second gateway, and says so in the address.
element('kill').hidden = !new URLSearchParams(location.search).has('gateways');
onKnife('kill', () => void fetch(`/demo/kill?node=${state?.node}`, { method: 'POST' }));

readerThread.onmessage = ({ data: report }: MessageEvent<ReaderReport>) => {
  if (report.type === 'progress') onProgress(report.state, report.deliveries);
  else if (report.type === 'note') onNote(report.note);
  else if (report.type === 'frame') onFrame(report.text);
  else chat.onPublished(report.id, report.error);
};

publisherThread.onmessage = ({ data: report }: MessageEvent<PublisherReport>) => {
  controls.show(report);
  journal.watch(report);
  ticker.moving = report.rate > 0;
};

/** Not `disabled` while of no use: that would take the keyboard's focus away. */
function onKnife(id: string, act: () => void): void {
  element(id).addEventListener('click', () => {
    if (nameOfState() === 'connected') act();
  });
}

function onProgress(next: ReaderState, deliveries: readonly Delivery[]): void {
  state = next;
  ledger.show(next);
  for (const delivery of deliveries) {
    if (delivery.channel === TICKER) ticker.add(delivery);
    else if (delivery.channel === CHAT) chat.add(delivery);
    else if (delivery.channel === HELLO) hello.add(delivery);
  }
  showState();
}

function onNote(note: Note): void {
  if (note.kind === 'frozen') frozen = true;
  if (note.kind === 'thawed') frozen = false;
  journal.show(note);
  showState();
}

function onFrame(text: string): void {
  const wire = element('wire');
  if (text.startsWith('{"type":"subscribe"')) wire.textContent = `→ ${text}`;
  else wire.textContent += `\n← ${text}`;
}

function showState(): void {
  const name = nameOfState();
  document.body.dataset.state = name;
  element('state').textContent = name === 'connected' && state?.node ? `connected to ${state.node}` : name;
  for (const knife of knives) knife.ariaDisabled = String(name !== 'connected');
}

function nameOfState(): string {
  if (frozen) return 'frozen';
  if (state?.connection !== 'connected')
    return state?.reconnects === 0 && state.connection === 'connecting' ? 'connecting' : 'offline';
  return state.catchingUp ? 'catching up' : 'connected';
}
