// The limits of the heap that the gateway gives itself, as the kernel sees the process.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { aGatewayProcess } from '../helpers/program.ts'

const limits = ['--max-semi-space-size=32', '--heap-growing-percent=20']
const argumentsOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
const env = (options: string) => ({ env: { ...process.env, NODE_OPTIONS: options } })

test.skipIf(process.platform !== 'linux')('the gateway is the process that was started, with a limited heap', async () => {
  const { child } = await aGatewayProcess([], env(''))
  expect(argumentsOf(child.pid!).slice(1, 3)).toEqual(limits)
})

test.skipIf(process.platform !== 'linux')('whoever has said how large the heap may be is not overruled', async () => {
  const { child } = await aGatewayProcess([], env('--max-old-space-size=200'))
  expect(argumentsOf(child.pid!)).not.toContain(limits[0])
})
