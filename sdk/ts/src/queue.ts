/** Values on their way into a stream that is being sent: an async iterable that is fed from outside. */
export class SendQueue<T> implements AsyncIterable<T> {
  private readonly values: T[] = [];
  private wake?: () => void;
  private ended = false;

  push(value: T): void {
    this.values.push(value);
    this.wake?.();
  }

  end(): void {
    this.ended = true;
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    while (true) {
      while (this.values.length > 0) yield this.values.shift()!;
      if (this.ended) return;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
