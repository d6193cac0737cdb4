// The emitter that aedes is given. It carries no message: the broker delivers them itself.

type Done = (error?: Error | null) => void

export function createNoEmitter(): object {
  return {
    on: (_topic: string, _listener: unknown, done?: Done) => done?.(),
    removeListener: (_topic: string, _listener: unknown, done?: Done) => done?.(),
    emit: (_packet: object, done?: Done) => done?.(null),
    close: (done?: Done) => done?.(),
  }
}
