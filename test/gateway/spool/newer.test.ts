// Files of a newer version: the start is refused with a sentence, and the files stay as they are.
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { createMemory } from '../../../gateway/broker/memory.ts'
import { createRoutes } from '../../../gateway/broker/routes.ts'
import { encodeEntry } from '../../../gateway/broker/sessions/entry.ts'
import { createFileJournal } from '../../../gateway/broker/sessions/journal.ts'
import { count } from '../../../gateway/broker/sessions/sessions.ts'
import { createState } from '../../../gateway/broker/sessions/state.ts'
import { encodeBody, field, renumberRecord } from '../../../gateway/spool/codec.ts'
import { createFileSpool } from '../../../gateway/spool/file.ts'
import { createLosses } from '../../../gateway/spool/losses.ts'
import { headerBytes } from '../../../gateway/spool/segment.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryFs, type MemoryFs } from '../../helpers/memory-fs.ts'
import { toReading } from '../../helpers/messages.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const dir = '/data'
const path = `${dir}/000001.seg`

function openSpool(fs: MemoryFs) {
  const observe = createSpyObserve()
  return { observe, spool: createFileSpool({ dir, maxBytes: 1024 ** 2, clock: createManualClock(), observe, fs }) }
}

function openJournal(fs: MemoryFs) {
  const [clock, observe] = [createManualClock(), createSpyObserve()]
  const state = createState({ routes: createRoutes(), memory: createMemory() })
  const journaled = { apply: state.apply, entries: state.entries, counts: () => count(state) }
  const losses = createLosses({ clock, observe }).place('sessions', 'sessions')
  return { observe, state, journal: createFileJournal({ journaled, dir, salt: 1, observe, fs, clock, losses }) }
}

/** Rewrites the version of the record at `at`; returns where the next one begins. */
function rewrite(bytes: Buffer, at: number, version: number): number {
  const length = bytes.readUInt32LE(at) + field.format
  const sequence = bytes.readDoubleLE(at + field.sequence)
  bytes[at + field.format] = (version << 4) | (bytes[at + field.format]! & 0xf)
  renumberRecord(bytes, at, length, bytes.readUInt32LE(8), sequence)
  return at + length
}

type Change = (bytes: Buffer) => void
const records =
  (version: number): Change =>
  (bytes) => {
    for (let at = headerBytes; at < bytes.length; ) at = rewrite(bytes, at, version)
  }
/** One record of a newer version is enough. */
const last: Change = (bytes) => {
  let at = headerBytes
  for (let next = at; next < bytes.length; next = at + bytes.readUInt32LE(at) + field.format) at = next
  rewrite(bytes, at, 3)
}
const header =
  (version: number): Change =>
  (bytes) => {
    bytes.write(String(version), 7, 'latin1')
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12)
  }
const begun =
  (format: number): Change =>
  (bytes) => {
    const entry = encodeEntry({ kind: 'begun', format: format as 1 })
    encodeBody(bytes, headerBytes, entry, bytes.readUInt32LE(8), 1)
  }

function changed(fs: MemoryFs, change: Change): void {
  const bytes = Buffer.from(fs.files.get(path)!)
  change(bytes)
  fs.overwrite(path, 0, bytes)
}

/** Everything but the lock. */
const contents = (fs: MemoryFs) =>
  [...fs.files].filter(([name]) => !name.includes('lock')).map(([name, bytes]) => [name, bytes.toString('hex')])

test.each([
  [
    'its records',
    records(3),
    records(2),
    /\/data cannot be used: it holds records of format 3, .* reads up to 2; start the version that wrote it/,
  ],
  ['its last record', last, records(2), /records of format 3/],
  ['its segments', header(2), header(1), /segments of format 2/],
])('a spool is refused and left as it is if %s are of a newer version', async (_, upgrade, downgrade, sentence) => {
  const fs = createMemoryFs()
  const first = openSpool(fs)
  await first.spool.start()
  for (let number = 1; number <= 3; number++) await first.spool.append(toReading(number))
  await first.spool.stop()
  changed(fs, upgrade)
  const before = contents(fs)
  const { spool, observe } = openSpool(fs)
  await expect(spool.start()).rejects.toMatchObject({ code: 'DATA_DIR_UNUSABLE', message: expect.stringMatching(sentence) })
  expect(contents(fs)).toEqual(before)
  expect(observe.recorded).toEqual([])
  changed(fs, downgrade)
  const again = openSpool(fs)
  await again.spool.start()
  expect(again.spool.depth().messages).toBe(3)
  await again.spool.stop()
})

test.each([
  ['its records', records(3), records(2), /\/data cannot be used: it holds records of format 3/],
  ['its segments', header(2), header(1), /segments of format 2/],
  ['its entries', begun(2), begun(1), /sessions of format 2, and this version reads up to 1/],
])('sessions are refused and left as they are if %s are of a newer version', async (_, upgrade, downgrade, sentence) => {
  const fs = createMemoryFs()
  const first = openJournal(fs)
  await first.journal.start()
  await first.journal.append({ kind: 'opened', client: 'freezer', protocol: 5, fresh: true, expirySeconds: null })
  await first.journal.stop()
  changed(fs, upgrade)
  const before = contents(fs)
  const { journal, observe } = openJournal(fs)
  await expect(journal.start()).rejects.toMatchObject({ code: 'DATA_DIR_UNUSABLE', message: expect.stringMatching(sentence) })
  expect(contents(fs)).toEqual(before)
  expect(observe.recorded).toEqual([])
  changed(fs, downgrade)
  const again = openJournal(fs)
  await again.journal.start()
  expect([...again.state.sessions.keys()]).toEqual(['freezer'])
  await again.journal.stop()
})
