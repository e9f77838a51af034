class JobCases:
    def __init__(self,*a): pass
    def run(self,p): pass
