#!/usr/bin/env node
// Starts weir on the Node it needs: this one, or the one that npm installed beside it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const needed = 24
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const source = here('./weir.ts')
const program = existsSync(source) ? source : here('../dist/bin/weir.js')
const installed = here('../node_modules/node/bin/node')

if (Number(process.versions.node.split('.')[0]) >= needed) {
  await import(program)
} else if (existsSync(installed)) {
  const child = spawn(installed, [program, ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal tells the child by itself; a supervisor tells only this process.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  child.on('exit', (status, signal) => {
    process.exitCode = status ?? (signal ? 1 : 0)
  })
} else {
  process.stderr.write(
    `weir: needs Node ${needed} or later; this is ${process.version}. Run npm ci in the checkout, which brings it along.\n`,
  )
  process.exitCode = 1
}
