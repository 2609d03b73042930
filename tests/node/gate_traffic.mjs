// Honest traffic for the gate: `node gate_traffic.mjs SCENARIO FIRST_SEED CASES`.
//
// For each case one line on stdout, {seed, messages: [[user, whole, update]], view, order, places}; then one line is read from
// stdin, {stored: [update], snapshot: update}, and a fresh Yjs document made of either must say the same as the
// server's did. Updates are base64. The last line is {done: CASES}.
import * as Y from 'yjs'
import readline from 'node:readline'
import { Random } from './random.mjs'
import { KINDS } from './gate_edits.mjs'
import { order, places, view } from './gate_view.mjs'

const b64 = (bytes) => Buffer.from(bytes).toString('base64')

class Server {
  constructor () {
    this.doc = new Y.Doc()
    this.messages = []
    this.devices = []
  }
  receive (from, update, whole) {
    this.messages.push([from.user, whole, b64(update)])
    Y.applyUpdate(this.doc, update)
    for (const device of this.devices) if (device !== from && device.online) device.inbox.push(update)
  }
}

class Device {
  constructor (random, server, user, options) {
    Object.assign(this, { random, server, user, options, online: true, inbox: [], outbox: [] })
    server.devices.push(this)
    this.load(null)
  }
  load (stored) {
    // A page load: a new client id, and what the browser's store had.
    this.doc = new Y.Doc({ gc: this.options.gc ?? true })
    this.doc.clientID = 1 + this.random.below(2 ** 32 - 1)
    this.outbox = []
    const report = (update, origin) => { if (origin !== 'server' && (origin !== 'store' || this.options.restores)) this.outbox.push(update) }
    if (this.options.restores) this.doc.on('update', report)
    if (stored) Y.applyUpdate(this.doc, stored, 'store')
    if (!this.options.restores) this.doc.on('update', report)
    for (const root of ['t', 'm', 'a', 'x']) root === 't' ? this.doc.getText(root) : root === 'm' ? this.doc.getMap(root) : root === 'a' ? this.doc.getArray(root) : this.doc.getXmlFragment(root)
    this.undo = this.options.undo
      ? new Y.UndoManager([this.doc.getText('t'), this.doc.getMap('m'), this.doc.getArray('a'), this.doc.getXmlFragment('x')], { captureTimeout: 0 })
      : null
  }
  edit (kind) {
    if (this.undo && this.random.chance(0.2)) this.random.chance(0.6) ? this.undo.undo() : this.undo.redo()
    else if (this.random.chance(0.2)) this.doc.transact(() => { for (let n = 2 + this.random.below(5); n > 0; n--) KINDS[kind](this.random, this.doc) })
    else KINDS[kind](this.random, this.doc)
  }
  send () {
    if (!this.online || !this.outbox.length) return
    if (this.options.merges && this.outbox.length > 1) this.outbox = [Y.mergeUpdates(this.outbox)]
    for (const update of this.outbox) this.server.receive(this, update, false)
    this.outbox = []
  }
  read (count) {
    for (const update of this.inbox.splice(0, count)) Y.applyUpdate(this.doc, update, 'server')
  }
  leave () {
    this.online = false
    this.inbox = []
    this.outbox = []
  }
  reload () {
    this.leave()
    this.load(Y.encodeStateAsUpdate(this.doc))
    if (this.options.restores && this.random.chance(0.5)) this.online = true
  }
  join (vector = Y.encodeStateVector(this.server.doc)) {
    // The handshake: what the server has comes first, then the step 2 for the state vector it had named.
    this.online = true
    if (this.options.restores) this.send()
    this.outbox = []
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(this.server.doc, Y.encodeStateVector(this.doc)), 'server')
    this.inbox = []
    this.server.receive(this, Y.encodeStateAsUpdate(this.doc, vector), true)
    this.outbox = []
  }
}

const SCENARIOS = {
  text: { kind: 'text', undo: true },
  rich: { kind: 'rich', undo: true },
  xml: { kind: 'xml', undo: true },
  nested: { kind: 'nested', undo: true },
  keys: { kind: 'keys' },
  fields: { kind: 'fields', offline: 0.15, reload: 0.3, stale: true },
  contests: { kind: 'keys', offline: 0.15, reload: 0.5, stale: true },
  offline: { kind: 'mixed', offline: 0.12, reload: 0.6 },
  stale: { kind: 'mixed', offline: 0.1, stale: true, undo: true },
  tabs: { kind: 'mixed', tabs: true, offline: 0.05 },
  merged: { kind: 'mixed', merges: true, undo: true },
  kept: { kind: 'mixed', gc: false, offline: 0.1, reload: 0.5, undo: true },
  restores: { kind: 'mixed', restores: true, offline: 0.1, reload: 0.7 }
}

const run = (name, seed) => {
  const options = SCENARIOS[name]
  const random = new Random(seed)
  const server = new Server()
  const users = options.tabs ? ['ada', 'ada', 'bob'] : ['ada', 'bob', ...(random.chance(0.3) ? ['eve'] : [])]
  const devices = users.map((user) => new Device(random, server, user, options))
  if (options.tabs) linkTabs(random, devices[0], devices[1])
  let old = Y.encodeStateVector(server.doc)
  for (let steps = 20 + random.below(80); steps > 0; steps--) {
    const device = random.pick(devices)
    const what = random.next()
    if (random.chance(0.1)) old = Y.encodeStateVector(server.doc)
    if (what < 0.5) device.edit(options.kind)
    else if (what < 0.7) device.send()
    else if (what < 0.85) device.read(random.below(6))
    else if (options.offline && what < 0.85 + options.offline) {
      if (!device.online) random.chance(options.reload ?? 0) ? device.reload() : device.join(options.stale ? old : undefined)
      else device.leave()
    }
  }
  for (let round = 0; round < 2; round++) for (const device of devices) device.join(options.stale ? old : undefined)
  for (const device of devices) device.read(Infinity)
  const said = JSON.stringify(view(server.doc))
  for (const device of devices) if (JSON.stringify(view(device.doc)) !== said) fail(seed, 'Yjs itself did not converge')
  return { server, said }
}

// Tabs of one browser tell each other what they write, and may be ahead of the server.
const linkTabs = (random, one, other) => {
  const link = (from, to) => from.doc.on('update', (update, origin) => {
    if (origin !== 'tab') Y.applyUpdate(to.doc, update, 'tab')
  })
  link(one, other)
  link(other, one)
}

const large = {
  burst (random, doc) { doc.transact(() => { for (let n = 0; n < 8000; n++) KINDS.mixed(random, doc) }) },
  paste (random, doc) { doc.getText('t').insert(0, 'pasted 👍 '.repeat(4000)); KINDS.text(random, doc) },
  chapters (random, doc) { for (let n = 0; n < 300; n++) KINDS.text(random, doc) }
}

const runLarge = (name, seed) => {
  const random = new Random(seed)
  const server = new Server()
  const device = new Device(random, server, 'ada', {})
  const other = new Device(random, server, 'bob', {})
  large[name](random, device.doc)
  device.send()
  for (const each of [other, device, other]) each.join()
  device.read(Infinity)
  return { server, said: JSON.stringify(view(server.doc)) }
}

const fail = (seed, reason) => {
  process.stdout.write(JSON.stringify({ seed, failed: reason }) + '\n')
}

const check = (seed, said, answer) => {
  const { stored, snapshot } = JSON.parse(answer)
  const replayed = new Y.Doc()
  for (const update of stored) Y.applyUpdate(replayed, Buffer.from(update, 'base64'))
  if (replayed.store.pendingStructs || replayed.store.pendingDs) fail(seed, 'what was stored has gaps')
  if (JSON.stringify(view(replayed)) !== said) fail(seed, 'what was stored says something else')
  const copied = new Y.Doc()
  Y.applyUpdate(copied, Buffer.from(snapshot, 'base64'))
  if (JSON.stringify(view(copied)) !== said) fail(seed, 'the snapshot says something else')
}

const main = async () => {
  const [scenario, first, cases] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
  const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  for (let seed = first; seed < first + cases; seed++) {
    const { server, said } = scenario in large ? runLarge(scenario, seed) : run(scenario, seed)
    const line = { seed, messages: server.messages, view: JSON.parse(said), order: order(server.doc.getText('t')), places: places(server.doc) }
    process.stdout.write(JSON.stringify(line) + '\n')
    const answer = await answers.next()
    if (answer.done) return
    check(seed, said, answer.value)
  }
  process.stdout.write(JSON.stringify({ done: cases }) + '\n')
}

await main()
process.exit(0)
