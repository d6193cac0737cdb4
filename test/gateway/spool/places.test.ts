// A directory with messages that is removed as a whole between two runs.
import { expect, test } from 'vitest'
import { createLosses } from '../../../gateway/spool/losses.ts'
import { createPlaces } from '../../../gateway/spool/places.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryFs, type MemoryFs } from '../../helpers/memory-fs.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const dir = '/data'

async function run(fs: MemoryFs, held: Readonly<Record<string, number>> = {}) {
  const clock = createManualClock()
  const observe = createSpyObserve()
  const losses = createLosses({ clock, observe, disk: { fs, dir } })
  await losses.start()
  const places = createPlaces({ fs, dir, clock, observe, losses, holds: (place) => held[place] })
  await places.start()
  return {
    losses,
    observe,
    places,
    async fill(...names: readonly string[]) {
      for (const name of names) {
        await fs.makeDir(`${dir}/${name}`)
        const file = await fs.open(`${dir}/${name}/000001.seg`, 'w')
        await file.write(Buffer.from('x'), 0)
      }
      await clock.advance(1_000)
    },
    stop: () => places.stop().then(() => losses.stop()),
  }
}

const removeAll = async (fs: MemoryFs, name: string) => {
  for (const path of [...fs.files.keys()].filter((path) => path.startsWith(`${dir}/${name}/`))) await fs.remove(path)
}

test.each(['spool', 'sessions', 'overflow/telemetry.0'])('after a crash, a missing directory %s is reported, once', async (name) => {
  const fs = createMemoryFs()
  const first = await run(fs)
  await first.fill('spool', 'sessions', 'overflow/telemetry.0')
  await removeAll(fs, name)
  const second = await run(fs)
  expect(second.losses.list()).toMatchObject([
    { place: name, exact: false, detail: expect.stringContaining(`the directory ${name} is missing`) },
  ])
  expect(second.observe.of('gateway.degraded')).toMatchObject([{ code: 'MESSAGES_LOST' }])
  await second.stop()
  const third = await run(fs)
  expect(third.observe.of('message.lost')).toEqual([])
  await third.stop()
})

test('after an orderly stop the number is known, and an empty directory is no loss', async () => {
  const fs = createMemoryFs()
  const first = await run(fs, { spool: 12, sessions: 0 })
  await first.fill('spool', 'sessions')
  await first.stop()
  for (const name of ['spool', 'sessions']) await removeAll(fs, name)
  const second = await run(fs)
  expect(second.losses.list()).toMatchObject([{ place: 'spool', count: 12, exact: true }])
  await second.stop()
})

test('nothing is reported where nothing was removed', async () => {
  const fs = createMemoryFs()
  const first = await run(fs)
  await first.fill('spool')
  const second = await run(fs, { spool: 3 })
  await second.stop()
  const third = await run(fs)
  expect(third.losses.list()).toEqual([])
  await third.stop()
})

test('a directory that was renamed is not reported after a crash that follows at once', async () => {
  const fs = createMemoryFs()
  const first = await run(fs)
  await first.fill('overflow/telemetry.0')
  await fs.rename(`${dir}/overflow/telemetry.0/000001.seg`, `${dir}/overflow/telemetry.sqs.0000000000000000/000001.seg`)
  await first.places.noted()
  const second = await run(fs)
  expect(second.losses.list()).toEqual([])
  await second.stop()
})
