// Runs one task at a time; of those asked for meanwhile only the newest is run.

export class Newest {
  constructor(task) {
    this.task = task;
    this.isBusy = false;
    this.isWanted = false;
  }

  async ask() {
    this.isWanted = true;
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      while (this.isWanted) {
        this.isWanted = false;
        await this.task();
      }
    } finally {
      this.isBusy = false;
    }
  }
}
