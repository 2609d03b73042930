// What a document says, in a form that Python can compare with what pycrdt says.
import * as Y from 'yjs'

const plain = (value) => {
  if (value instanceof Y.XmlText || value instanceof Y.XmlElement || value instanceof Y.XmlFragment) return { xml: xml(value) }
  if (value instanceof Y.Text) return { text: delta(value) }
  if (value instanceof Y.Map) {
    const entries = {}
    for (const key of [...value.keys()].sort()) entries[key] = plain(value.get(key))
    return { map: entries }
  }
  if (value instanceof Y.Array) return { array: value.toArray().map(plain) }
  if (value instanceof Uint8Array) return { bytes: [...value] }
  if (value === undefined) return null
  if (Array.isArray(value)) return value.map(plain)
  if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]))
  return value
}

const delta = (text) => {
  // Neighbours with equal attributes are one, whatever the deletions between them.
  const parts = []
  for (const part of text.toDelta()) {
    const attributes = part.attributes ?? {}
    const insert = typeof part.insert === 'string' ? part.insert : { embed: plain(part.insert) }
    const last = parts.at(-1)
    if (last && typeof insert === 'string' && typeof last[0] === 'string' && same(last[1], attributes)) last[0] += insert
    else parts.push([insert, attributes])
  }
  return parts
}

const same = (a, b) => JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())

const xml = (node) => {
  if (node instanceof Y.XmlText) return { text: delta(node) }
  if (!(node instanceof Y.XmlFragment)) return { other: 'a type' } // in a root that no schema knows anything may be
  const children = node.toArray().map(xml)
  if (!(node instanceof Y.XmlElement)) return { children }
  const attributes = {}
  for (const [key, value] of Object.entries(node.getAttributes()).sort()) attributes[key] = value instanceof Y.AbstractType ? 'a type' : plain(value)
  return { name: node.nodeName, attributes, children }
}

export const view = (doc) => ({
  t: delta(doc.getText('t')),
  m: plain(doc.getMap('m')),
  a: plain(doc.getArray('a')),
  x: xml(doc.getXmlFragment('x'))
})

// Every item that is not collected: [client, clock, length, what it is in, its key or null, deleted].
export const places = (doc) => {
  const roots = new Map([...doc.share].map(([name, type]) => [type, name]))
  const items = []
  for (const [client, structs] of doc.store.clients) {
    for (const item of structs) {
      if (!(item instanceof Y.Item)) continue
      const around = item.parent._item
      const within = around === null ? roots.get(item.parent) : [around.id.client, around.id.clock]
      items.push([client, item.id.clock, item.length, within, item.parentSub, item.deleted])
    }
  }
  return items
}

// The items of a list in their order, deleted ones too: [client, clock, length], neighbours joined.
export const order = (type) => {
  const items = []
  for (let item = type._start; item !== null; item = item.right) {
    const last = items.at(-1)
    if (last && last[0] === item.id.client && last[1] + last[2] === item.id.clock) last[2] += item.length
    else items.push([item.id.client, item.id.clock, item.length])
  }
  return items
}
