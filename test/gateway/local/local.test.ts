import { execFileSync, spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { startLocal } from '../../../gateway/local/local.ts'
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

test('stopping what was killed before is no error', async () => {
  const observe = createSpyObserve()
  const local = await startLocal({ port: 0, region: 'us-east-1', observe })
  const pid = execFileSync('pgrep', ['-P', String(process.pid), '-f', `local/child.ts ${0} 127.0.0.1 us-east-1`], { encoding: 'utf8' })
  for (const each of pid.trim().split('\n')) process.kill(Number(each), 'SIGKILL')
  await expect.poll(() => observe.of('gateway.degraded')).toHaveLength(1)
  await local.stop()
})
