// Random edits of the kind that real editors make, on the roots t (text), m (map), a (array) and x (XML).
import * as Y from 'yjs'

const WORDS = ['a', 'hello', 'wörld', '👍', 'a👍b', '👩‍👩‍👧', 'line\n', ' ', 'x'.repeat(30), '漢字', '𝒳']
const KEYS = ['a', 'b', 'status', 'ключ', '😀']

const position = (random, text) => {
  // Editors move by characters: never into a surrogate pair.
  const string = text.toString()
  let at = random.below(text.length + 1)
  if (string.length === text.length && at > 0 && at < string.length) {
    const unit = string.charCodeAt(at)
    if (unit >= 0xdc00 && unit < 0xe000) at--
  } else if (string.length !== text.length) {
    at = safe(text, at)
  }
  return at
}

const safe = (text, at) => {
  // The same for a text with embeds, whose length counts them.
  let passed = 0
  for (const part of text.toDelta()) {
    const insert = part.insert
    const length = typeof insert === 'string' ? insert.length : 1
    if (typeof insert === 'string' && at > passed && at < passed + length) {
      const unit = insert.charCodeAt(at - passed)
      if (unit >= 0xdc00 && unit < 0xe000) return at - 1
    }
    passed += length
  }
  return at
}

const range = (random, text) => {
  const from = position(random, text)
  const to = safe(text, Math.min(text.length, from + random.below(12)))
  return [Math.min(from, to), Math.abs(to - from)]
}

const value = (random) => random.pick([
  1, -7, 1.5, 2 ** 40, true, false, null, 'text', '👍', { a: [1, { b: 'c' }] }, [1, 'x', null], {}, [], undefined,
  new Uint8Array([1, 2, 3])
])

const plainEdit = (random, text) => {
  if (text.length > 4 && random.chance(0.35)) {
    const [from, length] = range(random, text)
    if (length) text.delete(from, length)
  } else {
    text.insert(position(random, text), random.pick(WORDS))
  }
}

export const richEdit = (random, text) => {
  const what = random.below(7)
  if (what === 0 && text.length > 2) {
    const [from, length] = range(random, text)
    if (length) text.format(from, length, random.pick([{ bold: true }, { bold: null }, { link: { href: 'x' } }, { color: 'red', bold: true }]))
  } else if (what === 1) {
    text.insertEmbed(position(random, text), random.pick([{ image: 'i.png' }, { mention: { id: 1 } }]))
  } else if (what === 2) {
    text.insert(position(random, text), random.pick(WORDS), random.pick([{ italic: true }, {}, { bold: true }]))
  } else if (what === 3) {
    text.applyDelta([{ retain: position(random, text) }, { insert: 'δ', attributes: { bold: true } }, { insert: '\n' }])
  } else if (what === 4) {
    text.setAttribute(random.pick(KEYS), 'v' + random.below(5))
  } else {
    plainEdit(random, text)
  }
}

const newType = (random, depth) => {
  const kind = random.below(4)
  if (kind === 0) return new Y.Text(random.pick(WORDS))
  if (kind === 1) {
    const map = new Y.Map()
    map.set('k', 1)
    map.set('text', new Y.Text('in'))
    if (depth < 4 && random.chance(0.3)) map.set('deep', newType(random, depth + 1))
    return map
  }
  if (kind === 2) return Y.Array.from([1, 'two', new Y.Map()])
  return new Y.XmlElement('p')
}

const mapEdit = (random, map, depth) => {
  const key = random.pick(KEYS)
  const inner = map.get(key)
  if (inner instanceof Y.AbstractType && random.chance(0.5)) return edit(random, inner, depth + 1)
  if (random.chance(0.2)) map.delete(key)
  else map.set(key, random.chance(0.3) ? newType(random, depth) : value(random))
}

const arrayEdit = (random, array, depth) => {
  if (array.length && random.chance(0.3)) {
    const inner = array.get(random.below(array.length))
    if (inner instanceof Y.AbstractType) return edit(random, inner, depth + 1)
  }
  if (array.length && random.chance(0.35)) {
    const from = random.below(array.length)
    array.delete(from, 1 + random.below(Math.min(3, array.length - from)))
  } else {
    const values = []
    for (let n = 1 + random.below(3); n > 0; n--) values.push(random.chance(0.3) ? newType(random, depth) : (value(random) ?? null))
    array.insert(random.below(array.length + 1), values)
  }
}

const xmlEdit = (random, element) => {
  if (element instanceof Y.XmlText) return richEdit(random, element)
  if (element instanceof Y.XmlElement && random.chance(0.3)) {
    if (random.chance(0.2)) element.removeAttribute(random.pick(KEYS))
    else element.setAttribute(random.pick(KEYS), random.pick(['1', 'v', '👍']))
    return
  }
  if (element.length && random.chance(0.5)) return xmlEdit(random, element.get(random.below(element.length)))
  if (element.length && random.chance(0.25)) {
    element.delete(random.below(element.length), 1)
    return
  }
  const made = random.chance(0.5) ? new Y.XmlElement(random.pick(['p', 'h1', 'li'])) : new Y.XmlText(random.pick(WORDS))
  element.insert(random.below(element.length + 1), [made])
}

export const edit = (random, type, depth = 0) => {
  if (depth > 6) return
  if (type instanceof Y.XmlText || type instanceof Y.XmlElement || type instanceof Y.XmlFragment) xmlEdit(random, type)
  else if (type instanceof Y.Text) richEdit(random, type)
  else if (type instanceof Y.Map) mapEdit(random, type, depth)
  else if (type instanceof Y.Array) arrayEdit(random, type, depth)
}

export const ROOTS = { t: (d) => d.getText('t'), m: (d) => d.getMap('m'), a: (d) => d.getArray('a'), x: (d) => d.getXmlFragment('x') }

export const KINDS = {
  text: (random, doc) => plainEdit(random, doc.getText('t')),
  rich: (random, doc) => richEdit(random, doc.getText('t')),
  xml: (random, doc) => xmlEdit(random, doc.getXmlFragment('x')),
  nested: (random, doc) => random.chance(0.5) ? mapEdit(random, doc.getMap('m'), 0) : arrayEdit(random, doc.getArray('a'), 0),
  keys: (random, doc) => doc.getMap('m').set(random.pick(['a', 'b']), random.chance(0.4) ? newType(random, 0) : random.below(100)),
  fields: (random, doc) => {
    const key = random.pick(['a', 'b'])
    if (!(doc.getMap('m').get(key) instanceof Y.Map) || random.chance(0.1)) doc.getMap('m').set(key, new Y.Map())
    const map = doc.getMap('m').get(key)
    for (let n = 1 + random.below(4); n > 0; n--) map.set(random.pick(['a', 'b', 'status']), random.chance(0.1) ? newType(random, 1) : random.below(100))
    if (random.chance(0.1)) map.delete('a')
  },
  mixed: (random, doc) => {
    const root = random.pick(['t', 'm', 'a', 'x'])
    if (root === 't') richEdit(random, doc.getText('t'))
    else if (root === 'x') xmlEdit(random, doc.getXmlFragment('x'))
    else edit(random, ROOTS[root](doc))
  }
}
