// A process that lives to be killed: appends readings without end and tells its parent which were acknowledged and which settled.
import { createFileSpool } from '../../gateway/spool/file.ts'
import { systemClock } from '../../lib/clock.ts'
import { toReading } from './messages.ts'
import { readSpool } from './read-spool.ts'

const [dir = '', from = '0'] = process.argv.slice(2)
const spool = createFileSpool({ dir, maxBytes: 1024 ** 3, segmentBytes: 256 * 1024, clock: systemClock, observe: { record() {} } })
await spool.start()
const said = (what: Record<string, number[]>) => new Promise((resolve) => process.send?.(what, resolve))

void (async () => {
  for await (const entry of readSpool(spool, new AbortController().signal)) {
    const number = Number(entry.message.id)
    if (number % 3 !== 0) continue
    await said({ settled: [number] })
    entry.settle('delivered')
  }
})()

for (let next = Number(from); ; ) {
  const acked: number[] = []
  const appended: Promise<unknown>[] = []
  for (let i = 0; i < 50; i++, next++) {
    const number = next
    appended.push(spool.append(toReading(number)).then(() => acked.push(number)))
  }
  await Promise.all(appended)
  await said({ acked })
}
