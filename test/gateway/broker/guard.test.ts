// The last line of defence, in a process of its own: what must not end it, and what still must.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { guarded, guardStream } from '../../../gateway/broker/guard.ts'

const guard = new URL('../../../gateway/broker/guard.ts', import.meta.url).href

/** Runs a program with `guarded` and `catchLost` in scope. `caught` are the messages of errors that went to the connection. */
async function run(program: string): Promise<{ readonly exitCode: number; readonly caught: readonly string[] }> {
  const source = `
    import { catchLost, guarded } from ${JSON.stringify(guard)}
    const stop = catchLost()
    const caught = (error) => console.log(error.message)
    ${program}
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'ignore'] })
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  const [exitCode] = await once(child, 'close')
  return { exitCode, caught: out.split('\n').filter(Boolean) }
}

test('an error that a connection leaves behind goes to the connection, and the process goes on', async () => {
  const program = `
    guarded(caught, () => setTimeout(() => { throw new Error('timer') }, 1))
    guarded(caught, () => process.nextTick(() => { throw new Error('tick') }))
    guarded(caught, () => setImmediate(() => { throw new Error('immediate') }))
    guarded(caught, () => void Promise.resolve().then(() => { throw new Error('promise') }))
    process.once('beforeExit', () => { stop(); console.log('alive') })
  `
  const { exitCode, caught } = await run(program)
  expect(exitCode).toBe(0)
  expect(caught.toSorted()).toEqual(['alive', 'immediate', 'promise', 'tick', 'timer'])
  expect(caught.at(-1)).toBe('alive')
})

test.each([
  ['an error of no connection', `setTimeout(() => { throw new Error('ours') }, 1); setTimeout(() => console.log('alive'), 50)`],
  ['an error after the broker has stopped', `stop(); guarded(caught, () => setImmediate(() => { throw new Error('late') }))`],
])('%s ends the process as ever', async (_, program) => {
  const { exitCode, caught } = await run(program)
  expect(exitCode).not.toBe(0)
  expect(caught).toEqual([])
})

test('an error of a listener goes to the connection of its stream', () => {
  const stream = new PassThrough()
  const caught: unknown[] = []
  guardStream(stream, (error) => caught.push((error as Error).message))
  stream.on('end', () => {
    throw new Error('listener')
  })
  expect(stream.emit('end')).toBe(true)
  expect(caught).toEqual(['listener'])
  expect(
    guarded(
      () => {},
      () => 7,
    ),
  ).toBe(7)
})
