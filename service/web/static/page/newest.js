// Runs one task at a time; of several requests meanwhile only the last is carried out.

export class Newest {
  constructor(task) {
    this.task = task;
    this.isBusy = false;
    this.isRequested = false;
  }

  async run() {
    this.isRequested = true;
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      while (this.isRequested) {
        this.isRequested = false;
        await this.task();
      }
    } finally {
      this.isBusy = false;
    }
  }
}
