// The admin port has no login: opening the doors to other machines must not open it with them.
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { aDirectory, aGatewayProcess, anyPorts, ask, runWeir } from '../helpers/program.ts'

/** On Linux all of 127/8 is this machine: who listens on 127.0.0.1 alone is not reached here, and who listens on 0.0.0.0 is. */
const elsewhere = '127.0.0.2'
const onLinux = test.skipIf(process.platform !== 'linux')

function reaches(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port })
  const reached = new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)))
  return reached.finally(() => socket.destroy())
}

onLinux('--host opens every door but the admin port', async () => {
  const { ports, child, finished } = await aGatewayProcess(['--host', '0.0.0.0'])
  const { admin, aws: _, ...doors } = ports
  for (const [name, port] of Object.entries(doors)) expect(await reaches(elsewhere, port), name).toBe(true)
  expect(await reaches(elsewhere, admin!)).toBe(false)
  expect(await ask(admin!, '/readyz')).toBeDefined() // as the health check of the container asks
  child.kill('SIGTERM')
  expect((await finished).stdout).not.toContain('gateway.exposed')
})

onLinux('--admin-host opens it, and the log says so', async () => {
  const { ports, line } = await aGatewayProcess(['--admin-host', '0.0.0.0'])
  expect(JSON.parse(await line('gateway.exposed'))).toMatchObject({ level: 'warn', host: '0.0.0.0', port: ports.admin })
  expect(await reaches(elsewhere, ports.admin!)).toBe(true)
  expect(await reaches(elsewhere, ports.http!)).toBe(false)
})

onLinux('another address of this machine is no news', async () => {
  const { ports, child, finished } = await aGatewayProcess(['--admin-host', elsewhere])
  expect(await reaches(elsewhere, ports.admin!)).toBe(true)
  expect(await reaches('127.0.0.1', ports.admin!)).toBe(false)
  child.kill('SIGTERM')
  expect((await finished).stdout).not.toContain('gateway.exposed')
})

test('an address that is not of this machine is told with its flag', async () => {
  const { code, stderr } = await runWeir(['gateway', ...anyPorts, '--data-dir', aDirectory(), '--admin-host', '192.0.2.1'])
  expect(stderr).toBe('weir: cannot listen on 192.0.2.1: it is not an address of this machine; choose another with --admin-host\n')
  expect(code).toBe(2)
})
