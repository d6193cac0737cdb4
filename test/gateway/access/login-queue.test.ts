import { expect, test } from 'vitest'
import {
  createLoginQueue,
  firstDelayMs,
  forgetAfterMs,
  longestDelayMs,
  maxWaiting,
  maxWaitingPerSource,
} from '../../../gateway/access/login-queue.ts'
import { createManualClock, settled } from '../../helpers/manual-clock.ts'

/** A queue whose checks end when the test says so. */
const setUp = () => {
  const clock = createManualClock()
  const queue = createLoginQueue({ clock, random: () => 0 })
  const open: { readonly who: string; readonly end: (right: boolean) => void }[] = []
  const run = (source: string, name: string) =>
    queue.run({ source, name }, () => {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      open.push({ who: `${source} ${name}`, end: resolve })
      return promise
    })
  /** Ends the check that runs, and says whose it was. */
  const end = async (right = true) => {
    await settled()
    const check = open.shift()
    check?.end(right)
    await settled()
    return check?.who
  }
  return { clock, run, end, open }
}

test('turns go round-robin between source addresses', async () => {
  const { run, end } = setUp()
  void run('first', 'z')
  for (const name of ['a', 'b', 'c']) void run('attacker', name)
  void run('device', 'x')
  void run('other', 'y')
  const order = []
  for (let i = 0; i < 6; i++) order.push(await end())
  expect(order).toEqual(['first z', 'attacker a', 'device x', 'other y', 'attacker b', 'attacker c'])
})

test('turns of one source go round-robin between names', async () => {
  const { run, end } = setUp()
  void run('nat', 'first')
  for (let i = 0; i < 3; i++) void run('nat', 'attacked')
  void run('nat', 'device')
  expect([await end(), await end(), await end()]).toEqual(['nat first', 'nat attacked', 'nat device'])
})

test('one check runs at a time', async () => {
  const { run, open } = setUp()
  for (const source of ['a', 'b', 'c']) void run(source, 'x')
  await settled()
  expect(open).toHaveLength(1)
})

test('after a wrong login the next of that name from that source waits, twice as long each time, up to a longest wait', async () => {
  const { clock, run, end, open } = setUp()
  const waits: number[] = []
  for (let i = 0; i < 9; i++) {
    void run('attacker', 'dev')
    await settled()
    let waited = 0
    while (open.length === 0) {
      await clock.advance(50)
      waited += 50
    }
    waits.push(waited)
    await end(false)
  }
  expect(waits).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  expect([firstDelayMs, longestDelayMs]).toEqual([100, 5_000])
})

test('a name that waits holds up neither other names nor other sources', async () => {
  const { run, end, open } = setUp()
  void run('nat', 'dev')
  await end(false)
  void run('nat', 'dev')
  await settled()
  expect(open).toHaveLength(0)
  void run('nat', 'other')
  void run('elsewhere', 'dev')
  expect([await end(), await end()]).toEqual(['nat other', 'elsewhere dev'])
})

test('a right login, or a quarter of an hour without a wrong one, ends the delay', async () => {
  const { clock, run, end, open } = setUp()
  for (let i = 0; i < 5; i++) {
    void run('nat', 'dev')
    await settled()
    await clock.advance(longestDelayMs)
    await end(i === 4)
  }
  void run('nat', 'dev')
  await settled()
  expect(open).toHaveLength(1)
  await end(false)
  await clock.advance(longestDelayMs + forgetAfterMs)
  void run('nat', 'dev')
  await end(false)
  void run('nat', 'dev')
  await clock.advance(firstDelayMs)
  expect(open).toHaveLength(1)
})

test('a full source drops an attempt of the name that has the most', async () => {
  const { run, end } = setUp()
  const dropped: string[] = []
  const start = (name: string) => void run('nat', name).then((outcome) => outcome === undefined && dropped.push(name))
  start('first')
  await settled()
  for (let i = 0; i < maxWaitingPerSource; i++) start('guessed')
  start('device')
  await settled()
  expect(dropped).toEqual(['guessed'])
  await end()
  expect([await end(), await end()]).toContain('nat device')
})

test('however many addresses a flood comes from, the queue is bounded and the largest source is cut first', async () => {
  const { run } = setUp()
  let dropped = 0
  const start = (source: string, name: string) => run(source, name).then((outcome) => outcome === undefined && dropped++)
  void start('s', 'first')
  await settled()
  for (let source = 0; source < maxWaiting / 4; source++) for (let i = 0; i < 4; i++) void start(`s${source}`, `${i}`)
  await settled()
  expect(dropped).toBe(0)
  const device = start('device', 'dev')
  await settled()
  expect(dropped).toBe(1)
  await expect(Promise.race([device, Promise.resolve('waits')])).resolves.toBe('waits')
})
