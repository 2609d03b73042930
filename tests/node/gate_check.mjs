// Tells what Yjs makes of updates: a line {stored: [update], snapshot: update} in, a line {stored, snapshot} out, each
// the view of a fresh document made of them, or {failed: reason}. Updates are base64.
import * as Y from 'yjs'
import readline from 'node:readline'
import { view } from './gate_view.mjs'

const read = (updates) => {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, Buffer.from(update, 'base64'))
  if (doc.store.pendingStructs || doc.store.pendingDs) throw new Error('something is pending')
  return view(doc)
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { stored, snapshot } = JSON.parse(line)
  let answer
  try {
    answer = { stored: read(stored), snapshot: read([snapshot]) }
  } catch (error) {
    answer = { failed: String(error) }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
