import { expect, test } from 'vitest'
import { openCursor } from '../../../gateway/spool/cursor.ts'
import { createLosses } from '../../../gateway/spool/losses.ts'
import { MessageCodec, recordSizeLimit } from '../../../gateway/spool/message-codec.ts'
import { recover } from '../../../gateway/spool/recover.ts'
import { createSegment, headerBytes, segmentNumber } from '../../../gateway/spool/segment.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryFs, type MemoryFs } from '../../helpers/memory-fs.ts'
import { toReading } from '../../helpers/messages.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const dir = '/spool'
const salt = 77
const codec = new MessageCodec()

/** A segment of groups of numbered records; returns where each record begins. */
async function write(fs: MemoryFs, number: number, groups: readonly (readonly number[])[], end: 'closed' | 'in use' = 'closed') {
  const writer = await createSegment(fs, dir, number, salt, 100_000)
  const offsets: number[] = []
  for (const group of groups) {
    const buffer = Buffer.alloc(10_000)
    let bytes = 0
    for (const n of group) {
      offsets.push(writer.segment.bytes + bytes)
      bytes += codec.encode(buffer, bytes, toReading(n), salt, n)
    }
    await writer.append(buffer.subarray(0, bytes))
    writer.segment.bytes += bytes
  }
  if (end === 'closed') await writer.close()
  return { path: writer.segment.path, offsets, end: writer.segment.bytes }
}

const look = async (fs: MemoryFs) => {
  const observe = createSpyObserve()
  const losses = createLosses({ clock: createManualClock(), observe: createSpyObserve() })
  const found = await recover({ fs, dir, observe, losses: losses.place('spool'), cursor: (await openCursor(fs, dir)).found })
  return { ...found, events: observe.recorded.map(({ event }) => event), observe }
}

test('an empty directory', async () => {
  const { segments, nextNumber, messages, events } = await look(createMemoryFs())
  expect({ segments, nextNumber, messages, events }).toEqual({ segments: [], nextNumber: 1, messages: 0, events: [] })
})

test('everything of a segment in use is found, and the zeros written ahead are cut off without a word', async () => {
  const fs = createMemoryFs()
  const { path, end } = await write(fs, 3, [[1, 2], [3]], 'in use')
  expect(fs.files.get(path)!.length).toBe(100_000)
  const { messages, bytes, oldestAt, nextNumber, events } = await look(fs)
  expect({ messages, bytes, oldestAt, nextNumber, events }).toEqual({
    messages: 3,
    bytes: end - headerBytes,
    oldestAt: toReading(1).receivedAt,
    nextNumber: 4,
    events: [],
  })
  expect(fs.files.get(path)!.length).toBe(end)
})

test('a torn end of the last segment is cut off and told', async () => {
  const fs = createMemoryFs()
  const { path, offsets } = await write(fs, 1, [[1, 2], [3]])
  fs.overwrite(path, offsets[2]! + 40, Buffer.from('torn'))
  const { messages, events, segments } = await look(fs)
  expect({ messages, events }).toEqual({ messages: 2, events: ['spool.truncated'] })
  expect(segments[0]!.holes.size).toBe(0)
  expect(fs.files.get(path)!.length).toBe(offsets[2])
  expect((await look(fs)).events).toEqual([])
})

test('a torn end in front of the segment made ready is cut off and told, too', async () => {
  const fs = createMemoryFs()
  const { path, offsets } = await write(fs, 1, [[1, 2], [3]])
  const ready = await write(fs, 2, [], 'in use')
  fs.overwrite(path, offsets[2]! + 40, Buffer.from('torn'))
  const { messages, events, nextNumber } = await look(fs)
  expect({ messages, events, nextNumber }).toEqual({ messages: 2, events: ['spool.truncated'], nextNumber: 3 })
  expect(fs.files.get(path)!.length).toBe(offsets[2])
  expect([...fs.files.keys()]).not.toContain(ready.path)
})

test('a torn write with whole records behind the tear is a torn write: none of it was acknowledged', async () => {
  const fs = createMemoryFs()
  const { path, offsets } = await write(fs, 1, [[1], [2, 3, 4]])
  fs.overwrite(path, offsets[2]! + 40, Buffer.from('torn'))
  expect(await look(fs)).toMatchObject({ messages: 2, events: ['spool.truncated'] })
  expect(fs.files.get(path)!.length).toBe(offsets[2])
})

test('damage with a later write behind it is corruption: what is readable is kept, the rest is told', async () => {
  const fs = createMemoryFs()
  const { path, offsets } = await write(fs, 1, [[1, 2], [3, 4], [5]])
  fs.overwrite(path, offsets[1]! + 40, Buffer.from('worn'))
  const { messages, events, segments, observe } = await look(fs)
  expect({ messages, events }).toEqual({ messages: 4, events: ['spool.corrupted'] })
  expect([...segments[0]!.holes]).toEqual([[offsets[1], offsets[2]]])
  expect(observe.of('spool.corrupted')).toMatchObject([{ bytes: offsets[2]! - offsets[1]!, detail: path }])
})

test('a length that lies does not hide the records behind it', async () => {
  const fs = createMemoryFs()
  const { path, offsets } = await write(fs, 1, [[1], [2], [3]])
  fs.overwrite(path, offsets[0]!, Buffer.from([0xff, 0xff, 0xff, 0x00]))
  expect(await look(fs)).toMatchObject({ messages: 2, events: ['spool.corrupted'] })
})

test('damage at the end of an earlier segment is corruption, too', async () => {
  const fs = createMemoryFs()
  const { path, offsets } = await write(fs, 1, [[1], [2]])
  await write(fs, 2, [[3]])
  fs.overwrite(path, offsets[1]! + 40, Buffer.from('worn'))
  const { messages, events, segments } = await look(fs)
  expect({ messages, events }).toEqual({ messages: 2, events: ['spool.corrupted'] })
  expect(segments[0]!.holes.size).toBe(1)
})

test('a segment without a readable header is set aside, one whose first write never ended is dropped', async () => {
  const fs = createMemoryFs()
  const worn = await write(fs, 1, [[1]])
  const unborn = await write(fs, 2, [[2]])
  fs.overwrite(worn.path, 3, Buffer.from('?'))
  fs.overwrite(unborn.path, 0, Buffer.alloc(headerBytes))
  expect(await look(fs)).toMatchObject({ messages: 0, nextNumber: 3, events: ['spool.corrupted', 'spool.truncated'] })
  expect([...fs.files.keys()]).toEqual([`${worn.path}.corrupt`])
})

test('the number of a file set aside is not used again', async () => {
  const fs = createMemoryFs()
  await write(fs, 4, [[1]])
  await fs.rename(`${dir}/000004.seg`, `${dir}/000004.seg.corrupt`)
  expect(await look(fs)).toMatchObject({ messages: 0, nextNumber: 5 })
})

test('a payload that looks like a record cannot pose as one', async () => {
  const fs = createMemoryFs()
  const forged = Buffer.alloc(recordSizeLimit(toReading(666)))
  const length = codec.encode(forged, 0, toReading(666), 0, 666)
  const writer = await createSegment(fs, dir, 1, salt, 100_000)
  const buffer = Buffer.alloc(10_000)
  const bytes = codec.encode(buffer, 0, toReading(1, { payload: forged.subarray(0, length) }), salt, 1)
  await writer.append(buffer.subarray(0, bytes))
  const behind = codec.encode(buffer, 0, toReading(2), salt, 2)
  writer.segment.bytes += bytes
  await writer.append(buffer.subarray(0, behind))
  writer.segment.bytes += behind
  await writer.close()
  fs.overwrite(writer.segment.path, headerBytes + 20, Buffer.from([9]))
  const { messages, segments } = await look(fs)
  expect(messages).toBe(1)
  expect([...segments[0]!.holes]).toEqual([[headerBytes, headerBytes + bytes]])
})

test('a damaged cursor replays everything and says so', async () => {
  const fs = createMemoryFs()
  await write(fs, 1, [[1], [2]])
  await (await fs.open(`${dir}/cursor`, 'wx')).write(Buffer.from('nonsense'), 0)
  expect(await look(fs)).toMatchObject({ messages: 2, events: ['spool.corrupted'] })
})

test('only segments have numbers', () => {
  expect(segmentNumber('000012.seg')).toBe(12)
  for (const name of ['cursor', 'lock', '12.seg', '000012.seg.corrupt', 'cursor.new']) expect(segmentNumber(name)).toBeUndefined()
})
