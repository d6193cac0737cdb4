import { execFileSync, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { startLocal } from '../../../gateway/local/local.ts'
import { systemClock } from '../../../lib/clock.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

test('a data directory that cannot be is told by name', async () => {
  const started = startLocal({ port: 0, region: 'us-east-1', dataDir: '/dev/null/queues', observe: createSpyObserve() })
  await expect(started).rejects.toMatchObject({ code: 'LOCAL_FAILED', message: expect.stringMatching(/did not start: E[A-Z]+/) })
})

test('an aborted start leaves no process behind', async () => {
  const stop = new AbortController()
  const started = startLocal({ port: 0, region: 'eu-north-1', observe: createSpyObserve(), signal: stop.signal })
  const children = () => spawnSync('pgrep', ['-P', String(process.pid), '-f', 'local/child.ts 0 127.0.0.1 eu-north-1']).stdout.toString()
  await expect.poll(children).not.toBe('')
  stop.abort(new Error('stopped'))
  await expect(started).rejects.toThrow('stopped')
  await expect.poll(children).toBe('')
})

const kill = (region: string) => {
  const pids = execFileSync('pgrep', ['-P', String(process.pid), '-f', `local/child.ts [0-9]+ 127.0.0.1 ${region}`], { encoding: 'utf8' })
  for (const pid of pids.trim().split('\n')) process.kill(Number(pid), 'SIGKILL')
}

test('a killed process is started again on its port, and its queues are recreated before the recovery is reported', async () => {
  const observe = createSpyObserve()
  const local = await startLocal({ port: 0, region: 'eu-west-1', observe })
  const recreated: number[] = []
  local.onRestart(async () => void recreated.push(observe.of('gateway.recovered').length))
  kill('eu-west-1')
  await observe.next('gateway.recovered')
  expect(recreated).toEqual([0])
  expect((await fetch(local.endpoint)).status).toBeGreaterThan(0)
  kill('eu-west-1')
  await expect.poll(() => observe.of('gateway.recovered'), { timeout: 10_000 }).toHaveLength(2)
  expect(observe.of('local.ended')).toMatchObject([{ outcome: 'lost' }, { outcome: 'lost' }])
  await local.stop()
})

test('the restart waits longer after each failure, and a stop ends the wait', async () => {
  const observe = createSpyObserve()
  const waits: number[] = []
  const blocked = createServer()
  const sleep = async (ms: number, signal?: AbortSignal) => {
    waits.push(ms)
    if (waits.length === 1) await new Promise<void>((resolve) => blocked.listen(local.port, '127.0.0.1', resolve))
    if (waits.length === 4) await new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)))
  }
  const local = await startLocal({ port: 0, region: 'eu-west-2', observe, clock: { ...systemClock, sleep }, random: () => 1 })
  kill('eu-west-2')
  await expect.poll(() => waits, { timeout: 10_000 }).toEqual([100, 200, 400, 800])
  await local.stop()
  blocked.close()
  expect(observe.of('gateway.degraded').at(-1)).toMatchObject({ code: 'LOCAL_FAILED', detail: expect.stringContaining('is in use') })
})

test('a stop right after a kill ends without a restart', async () => {
  const observe = createSpyObserve()
  const local = await startLocal({ port: 0, region: 'us-east-2', observe })
  kill('us-east-2')
  await observe.next('gateway.degraded')
  await local.stop()
  expect(observe.of('gateway.recovered')).toEqual([])
})
