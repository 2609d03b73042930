// Runs unmodified published Yjs clients as a test asks: one JSON command per line on stdin, one JSON answer per line
// on stdout. A command is {id, op, ...}; its answer {id, ok} or {id, error}. `until` is answered when its expression,
// over the device `d`, holds; it is evaluated after every event of that device.
import { createInterface } from 'node:readline'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { WebsocketProvider } from 'y-websocket'
import WebSocket from 'ws'
import * as Y from 'yjs'

const devices = new Map()
const sockets = new Map()

class Device {
  constructor(doc) {
    this.doc = doc
    this.waits = []
    this.events = []
    this.scope = null
    this.denied = null
    this.closed = null
    this.stateless = []
    this.acks = 0
    doc.on('update', () => this.look())
  }

  note(event, detail = null) {
    this.events.push(detail === null ? event : `${event} ${detail}`)
    this.look()
  }

  get state() { return this.doc.getMap('state').toJSON() }
  get messages() { return this.doc.getMap('messages').toJSON() }
  get text() { return this.doc.getText('notes').toString() }
  get synced() { return this.provider.synced }
  get unsynced() { return this.provider.hasUnsyncedChanges }
  get people() {
    return [...this.provider.awareness.getStates().values()].map((state) => state.user).filter(Boolean)
  }

  look() {
    this.waits = this.waits.filter(({ holds, done }) => {
      if (!holds(this)) return true
      done()
      return false
    })
  }

  until(expression) {
    const holds = new Function('d', `return Boolean(${expression})`)
    return new Promise((done) => {
      this.waits.push({ holds, done })
      this.look()
    })
  }
}

const newDocument = ({ update }) => {
  const doc = new Y.Doc()
  if (update) Y.applyUpdate(doc, Buffer.from(update, 'base64'))
  return doc
}

// A ticket is good for one connection, so the provider gets another one before it comes back.
const goByTickets = (provider, { api, token }) => {
  const connect = async () => {
    provider.shouldConnect = false
    const answer = await fetch(`${api}/tickets`, { method: 'POST', headers: { Authorization: `Bearer ${token}` } })
    provider.params.token = (await answer.json()).ticket
    provider.connect()
  }
  provider.on('connection-close', connect)
  connect()
}

const openYWebsocket = ({ url, session, params, update, tickets }) => {
  const device = new Device(newDocument({ update }))
  device.provider = new WebsocketProvider(url, session, device.doc, {
    params, WebSocketPolyfill: WebSocket, disableBc: true, connect: !tickets
  })
  if (tickets) goByTickets(device.provider, tickets)
  device.provider.on('status', ({ status }) => device.note('status', status))
  device.provider.on('sync', (synced) => device.note('sync', synced))
  device.provider.on('connection-close', (event) => device.note('close', event && event.code))
  device.provider.on('closed', ({ code, reason }) => { device.closed = { code, reason }; device.note('closed') })
  device.provider.awareness.on('change', () => device.note('awareness'))
  device.drop = () => device.provider.ws.terminate()
  return device
}

const socketOf = (url, name) => {
  if (!sockets.has(name)) {
    sockets.set(name, new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket, delay: 50, minDelay: 50 }))
  }
  return sockets.get(name)
}

const openHocuspocus = ({ url, session, token, update, socket, sessionAwareness = false }, id) => {
  const device = new Device(newDocument({ update }))
  device.socket = socketOf(url, socket ?? `socket of ${id}`)
  device.provider = new HocuspocusProvider({
    websocketProvider: device.socket,
    name: session,
    document: device.doc,
    token: token ?? null,
    sessionAwareness,
    onAuthenticated: ({ scope }) => { device.scope = scope; device.note('authenticated', scope) },
    onAuthenticationFailed: ({ reason }) => { device.denied = reason; device.note('denied') },
    onStatus: ({ status }) => device.note('status', status),
    onSynced: () => device.note('synced'),
    onClose: ({ event }) => { device.closed = { code: event.code, reason: `${event.reason}` }; device.note('close') },
    onStateless: ({ payload }) => { device.stateless.push(JSON.parse(payload)); device.note('stateless') },
    onUnsyncedChanges: ({ number }) => device.note('unsynced', number),
    onAwarenessChange: () => device.note('awareness')
  })
  device.provider.attach()
  device.drop = () => device.socket.webSocket.terminate()
  return device
}

const operations = {
  open(command) {
    const open = command.kind === 'y-websocket' ? openYWebsocket : openHocuspocus
    devices.set(command.device, open(command, command.device))
  },
  until: ({ expression }, device) => device.until(expression),
  read: ({ expression }, device) => new Function('d', `return ${expression}`)(device),
  set({ key, value }, device) { device.doc.getMap('state').set(key, value) },
  type({ at, text }, device) { device.doc.getText('notes').insert(at ?? device.text.length, text) },
  say({ key, message, text }, device) {
    device.doc.transact(() => {
      const entry = new Y.Map(Object.entries(message))
      entry.set('text', new Y.Text(text))
      device.doc.getMap('messages').set(key, entry)
    })
  },
  presence({ user }, device) { device.provider.awareness.setLocalStateField('user', user) },
  drop(_, device) { device.drop() },
  disconnect(_, device) { device.socket ? device.socket.disconnect() : device.provider.disconnect() },
  connect(_, device) { device.socket ? device.socket.connect() : device.provider.connect() },
  detach(_, device) { device.provider.detach() },
  force(_, device) { device.provider.forceSync() },
  encode: (_, device) => Buffer.from(Y.encodeStateAsUpdate(device.doc)).toString('base64')
}

const answer = (message) => process.stdout.write(`${JSON.stringify(message)}\n`)

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  Promise.resolve()
    .then(() => operations[command.op](command, devices.get(command.device)))
    .then((value) => answer({ id: command.id, ok: value ?? null }))
    .catch((error) => answer({ id: command.id, error: String(error.stack) }))
}
process.exit(0)
