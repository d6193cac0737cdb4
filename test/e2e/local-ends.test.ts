// The process of the embedded SQS and SNS is killed: it is started again, and the loss of its in-memory queues is reported.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { aDirectory, aGatewayProcess, anyPorts, ask, askUntil, type GatewayProcess, runWeir, startWeir } from '../helpers/program.ts'
import { receiveAll } from '../helpers/sqs.ts'

function killQueues(parent: number): void {
  const pids = execFileSync('pgrep', ['-P', String(parent), '-f', 'local/child'], { encoding: 'utf8' })
    .trim()
    .split('\n')
  for (const pid of pids) process.kill(Number(pid), 'SIGKILL')
}

async function post({ ports }: GatewayProcess, count: number): Promise<void> {
  const url = `http://127.0.0.1:${ports.http}/topics/dt/coldchain/acme/s/f/telemetry?qos=1`
  const answers = await Promise.all(Array.from({ length: count }, () => fetch(url, { method: 'POST', body: '{"t":1}' })))
  expect(answers.map(({ status }) => status)).toEqual(Array(count).fill(200))
}

/** 20 messages are in the queue, the process is killed, and 10 arrive before it is back. */
async function killBetween(gateway: GatewayProcess): Promise<void> {
  await post(gateway, 20)
  await askUntil(gateway.ports.admin!, '/api/ledger', ({ delivered }) => delivered === 20)
  const ended = gateway.line('local.ended')
  killQueues(gateway.child.pid!)
  await ended
  await post(gateway, 10)
  await gateway.line('gateway.recovered')
  await askUntil(gateway.ports.admin!, '/api/ledger', ({ delivered, queued }) => delivered === 30 && queued === 0)
}

test('in-memory queues: deliveries wait for the restart, health reports the loss until it is confirmed', async () => {
  const gateway = await aGatewayProcess(['--data-dir', aDirectory()])
  const { ports, line } = gateway
  await killBetween(gateway)
  expect(JSON.parse(await line('local.ended'))).toMatchObject({
    level: 'error',
    outcome: 'lost',
    detail: expect.stringContaining('SIGKILL'),
  })
  expect(await receiveAll(ports.aws!, 'telemetry')).toHaveLength(10)
  const { status, details } = await askUntil(ports.admin!, '/healthz', ({ reasons }) => reasons.join() === 'MESSAGES_LOST')
  expect(status).toBe('degraded')
  expect(details.MESSAGES_LOST).toMatch(
    /an unknown number of delivered messages were lost in the embedded queues.*had delivered 20 messages/,
  )
  expect(details.MESSAGES_LOST).not.toContain('restore the files')
  expect(await ask(ports.admin!, '/api/ledger')).toMatchObject({ accepted: 30, delivered: 30, lost: 0, balanced: true })

  const { stdout } = await runWeir(['losses', '--confirm', '--admin', `http://127.0.0.1:${ports.admin}`])
  expect(stdout).toContain('1 loss confirmed')
  expect(await ask(ports.admin!, '/healthz')).toMatchObject({ status: 'ok' })
})

test('queues on disk: everything is there after the restart, and nothing is reported as lost', async () => {
  const dir = aDirectory()
  const config = join(dir, 'weir.json')
  writeFileSync(config, JSON.stringify({ local: { persist: true } }))
  const gateway = await aGatewayProcess(['--config', config, '--data-dir', join(dir, 'data')])
  const { ports, line } = gateway
  await killBetween(gateway)
  expect(JSON.parse(await line('local.ended'))).toMatchObject({ outcome: 'kept', detail: expect.stringContaining('no message is lost') })
  expect(await receiveAll(ports.aws!, 'telemetry')).toHaveLength(30)
  expect(await askUntil(ports.admin!, '/healthz', ({ status }) => status === 'ok')).toMatchObject({ reasons: [] })
  expect(await ask(ports.admin!, '/api/losses')).toEqual([])
})

test('the account of `weir up` reports the loss and ends with exit code 1', async () => {
  const { child, line, finished } = startWeir(['up', ...anyPorts, '--data-dir', aDirectory()])
  await line('in/s')
  killQueues(child.pid!)
  await line('the embedded SQS and SNS ended (SIGKILL)')
  child.kill('SIGINT')
  const { code, stdout } = await finished
  expect(code).toBe(1)
  expect(stdout).toMatch(/ lost: the embedded SQS and SNS ended once, with in-memory queues/)
  expect(stdout).not.toMatch(/^0 lost/m)
})
